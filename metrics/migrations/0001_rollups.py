from django.db import migrations, models
from django.db.models.functions import Now

# One leaf per month (1d: per year), made by `metrics.rollups.partitions`, so that each interval is dropped by its own
# retention. `avg` is no state of its own: it cannot disagree with sum and count.
CREATE_AGGREGATIONS = """
CREATE TABLE metric_aggregations (
    time_bucket timestamptz NOT NULL,
    count bigint NOT NULL,
    skipped bigint NOT NULL DEFAULT 0,
    p50 double precision,
    p95 double precision,
    p99 double precision,
    project_id integer NOT NULL,
    interval text NOT NULL,
    metric_name text NOT NULL,
    dimensions jsonb NOT NULL DEFAULT '{}',
    sum numeric,
    sum_squares numeric,
    avg numeric GENERATED ALWAYS AS (CASE WHEN count > 0 THEN sum / count END) STORED,
    min numeric,
    max numeric,
    first numeric,
    last numeric,
    bins integer[],
    bin_counts bigint[],
    PRIMARY KEY (project_id, metric_name, interval, time_bucket, dimensions)
) PARTITION BY LIST (interval);
CREATE TABLE metric_aggregations_1m PARTITION OF metric_aggregations FOR VALUES IN ('1m') PARTITION BY RANGE (time_bucket);
CREATE TABLE metric_aggregations_5m PARTITION OF metric_aggregations FOR VALUES IN ('5m') PARTITION BY RANGE (time_bucket);
CREATE TABLE metric_aggregations_15m PARTITION OF metric_aggregations FOR VALUES IN ('15m') PARTITION BY RANGE (time_bucket);
CREATE TABLE metric_aggregations_1h PARTITION OF metric_aggregations FOR VALUES IN ('1h') PARTITION BY RANGE (time_bucket);
CREATE TABLE metric_aggregations_1d PARTITION OF metric_aggregations FOR VALUES IN ('1d') PARTITION BY RANGE (time_bucket);
"""

# The bin of v > 0 holds (g^(k-1), g^k] with g = 1.01 / 0.99 (DDSketch, Masson et al., VLDB 2019), so its middle is within
# 1 % of each value in it. Keys ascend as values do: negative ones mirrored, 0 in the middle, 40000 > ln(1e308) / ln(g).
FUNCTIONS = r"""
CREATE FUNCTION metric_number(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(value)
        WHEN 'number' THEN value::numeric
        WHEN 'string' THEN CASE WHEN value #>> '{}' ~ '^[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?$'
            THEN (value #>> '{}')::numeric END
    END
$$;
-- What no double can hold is no value; what is closer to 0 than any measurement is 0.
CREATE FUNCTION metric_finite(value numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(value) >= 1e300 THEN NULL WHEN abs(value) < 1e-300 THEN 0 ELSE value END
$$;
CREATE FUNCTION metric_bin(value numeric) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value = 0 THEN 0
        ELSE sign(value)::integer * (40000 + ceil(ln(abs(value)::float8) / ln(1.01::float8 / 0.99)))::integer END
$$;
CREATE FUNCTION metric_bin_middle(bin integer) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN bin = 0 THEN 0::float8
        ELSE sign(bin) * 0.99 * (1.01::float8 / 0.99) ^ (abs(bin) - 40000) END
$$;
-- Nearest rank, as percentile_disc: the value at rank ceil(share * n), by its bin, never beyond the least and the most.
CREATE FUNCTION metric_percentiles(bins integer[], counts bigint[], shares numeric[], least_ numeric, most numeric)
RETURNS double precision[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH ranked AS (
        SELECT bin, sum(n) OVER (ORDER BY bin) AS up_to, sum(n) OVER () AS total
        FROM unnest(bins, counts) AS histogram (bin, n))
    SELECT array_agg(greatest(least(metric_bin_middle(bin), most::float8), least_::float8) ORDER BY place)
    FROM unnest(shares) WITH ORDINALITY AS asked (share, place) CROSS JOIN LATERAL (
        SELECT bin FROM ranked WHERE up_to >= ceil(share * total) ORDER BY bin LIMIT 1) found
$$;
CREATE FUNCTION metric_percentile(bins integer[], counts bigint[], share numeric, least_ numeric, most numeric)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (metric_percentiles(bins, counts, ARRAY[share], least_, most))[1]
$$;
"""

# A hash names one of 4096 registers by its last 12 bits, and with the 52 others how many zeros they begin with, plus one.
SKETCHES = r"""
CREATE FUNCTION users_registers(hashes bigint[]) RETURNS smallint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(coalesce(rank, 0)::smallint ORDER BY register)
    FROM generate_series(0, 4095) AS registers (register) LEFT JOIN (
        SELECT (hash & 4095)::integer AS register,
            max(53 - length(ltrim(((hash >> 12) & 4503599627370495)::bit(52)::text, '0'))) AS rank
        FROM unnest(hashes) AS hash GROUP BY 1) ranks USING (register)
$$;
CREATE FUNCTION users_estimate(registers smallint[]) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(CASE WHEN raw <= 2.5 * 4096 AND empty > 0 THEN 4096 * ln(4096::float8 / empty) ELSE raw END)::bigint
    FROM (
        SELECT 0.7213 / (1 + 1.079 / 4096) * 4096 * 4096 / sum(2::float8 ^ -rank) AS raw,
            count(*) FILTER (WHERE rank = 0) AS empty
        FROM unnest(registers) AS rank) estimated
$$;
"""
DROP_FUNCTIONS = """
DROP FUNCTION users_estimate(smallint[]);
DROP FUNCTION users_registers(bigint[]);
DROP FUNCTION metric_percentile(integer[], bigint[], numeric, numeric, numeric);
DROP FUNCTION metric_percentiles(integer[], bigint[], numeric[], numeric, numeric);
DROP FUNCTION metric_bin_middle(integer);
DROP FUNCTION metric_bin(numeric);
DROP FUNCTION metric_finite(numeric);
DROP FUNCTION metric_number(jsonb);
"""


class Migration(migrations.Migration):
    """What events add up to, and the bookkeeping of the engine that adds them up."""

    initial = True
    dependencies = [("events", "0002_bookkeeping")]
    operations = [
        migrations.RunSQL(FUNCTIONS + SKETCHES, reverse_sql=DROP_FUNCTIONS),
        migrations.RunSQL(CREATE_AGGREGATIONS, reverse_sql="DROP TABLE metric_aggregations"),
    ]
