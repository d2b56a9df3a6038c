"""Rows added up to fewer rows: the one formula for coarser intervals, for the series `other`, and for readers.

    %s        rows with the columns of `facts.COLUMNS` and `bucket`, the bucket that each goes to

Counts and sums add; first and last follow the time; histograms add bin by bin.
"""

# Written out rather than composed: it is the heart of the ladder and should be read as one.
MERGE = """
WITH parts AS ({rows}),
totals AS (
    SELECT metric_name, bucket, dimensions, sum(count)::bigint AS count, sum(skipped)::bigint AS skipped,
        sum(sum) AS sum, sum(sum_squares) AS sum_squares, min(min) AS min, max(max) AS max,
        (array_agg(first ORDER BY time_bucket) FILTER (WHERE first IS NOT NULL))[1] AS first,
        (array_agg(last ORDER BY time_bucket DESC) FILTER (WHERE last IS NOT NULL))[1] AS last,
        bool_or(bins IS NOT NULL) AS has_bins
    FROM parts GROUP BY metric_name, bucket, dimensions),
bins AS (
    SELECT metric_name, bucket, dimensions, array_agg(bin ORDER BY bin) AS bins, array_agg(n ORDER BY bin) AS bin_counts
    FROM (
        SELECT metric_name, bucket, dimensions, bin, sum(n)::bigint AS n
        FROM parts CROSS JOIN LATERAL unnest(bins, bin_counts) AS histogram (bin, n)
        GROUP BY metric_name, bucket, dimensions, bin) added
    GROUP BY metric_name, bucket, dimensions)
SELECT t.metric_name, t.bucket, t.dimensions, count, skipped, sum, sum_squares, min, max, first, last,
    CASE WHEN has_bins THEN coalesce(bins, '{{}}') END, CASE WHEN has_bins THEN coalesce(bin_counts, '{{}}') END
FROM totals t LEFT JOIN bins b
    ON b.metric_name = t.metric_name AND b.bucket = t.bucket AND b.dimensions = t.dimensions
"""
MERGED_WORK = MERGE.format(rows="SELECT *, time_bucket AS bucket FROM rollup_work")
# Of the interval below, for each claimed bucket.
MERGED_BELOW = MERGE.format(
    rows="""
    SELECT a.*, c.bucket FROM unnest(%(names)s::text[], %(buckets)s::timestamptz[]) AS c (metric_name, bucket)
    CROSS JOIN LATERAL (
        SELECT * FROM metric_aggregations WHERE project_id = %(project)s AND metric_name = c.metric_name
        AND interval = %(below)s AND time_bucket >= c.bucket AND time_bucket < c.bucket + %(length)s OFFSET 0) a"""
)
