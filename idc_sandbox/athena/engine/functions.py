"""The functions that a query may call, by Trino's names, and those that DuckDB needs in other words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

# What is not here does not exist: FUNCTION_NOT_FOUND. So no function of DuckDB's own can be called.
_ALLOWED_FUNCTIONS = """
    abs acos all_match any_match any_value approx_distinct approx_percentile arbitrary array_agg
    array_distinct array_except array_intersect array_join array_max array_min array_position
    array_remove array_sort array_union arrays_overlap asin at_timezone atan atan2 avg bit_count
    bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bool_and
    bool_or cardinality cast cbrt ceil ceiling chr coalesce codepoint concat concat_ws contains corr cos
    cosh count count_if covar_pop covar_samp cume_dist current_timestamp current_timezone date date_add
    date_diff date_format date_parse date_trunc day day_of_month day_of_week day_of_year degrees
    dense_rank dow doy e element_at every exists exp extract filter first_value flatten floor format
    format_datetime from_base64 from_hex from_iso8601_date from_iso8601_timestamp from_unixtime
    from_utf8 geometric_mean greatest grouping hamming_distance histogram hour if infinity is_finite
    is_infinite is_json_scalar is_nan json_array_contains json_array_get json_array_length json_extract
    json_extract_scalar json_format json_parse json_size kurtosis lag last_day_of_month last_value lead
    least length levenshtein_distance listagg ln localtime localtimestamp log log10 log2 lower lpad
    ltrim map map_agg map_concat map_entries map_filter map_from_entries map_keys map_values max max_by
    md5 millisecond min min_by minute mod month nan none_match now nth_value ntile nullif parse_datetime
    percent_rank pi position pow power quarter radians rand random rank reduce regexp_count
    regexp_extract regexp_extract_all regexp_like regexp_position regexp_replace regexp_split repeat
    replace reverse round row row_number rpad rtrim second sequence sha1 sha256 sign sin sinh skewness
    slice split split_part split_to_map split_to_multimap sqrt starts_with stddev stddev_pop stddev_samp
    strpos substr substring sum tan tanh to_base64 to_hex to_iso8601 to_unixtime to_utf8 transform
    transform_keys transform_values translate trim truncate try try_cast typeof unnest upper url_decode
    url_encode url_extract_host url_extract_parameter url_extract_path url_extract_port
    url_extract_protocol url_extract_query uuid var_pop var_samp variance week week_of_year year zip
    zip_with
"""
# Functions whose lambda takes a pair: of a map's key and value, or of two arrays' items.
OVER_ENTRIES = frozenset(("map_filter", "transform_keys", "transform_values", "zip_with"))
# Trino's that are refused by name, with what to use in their place.
_ELSE = {
    ": use json_extract_scalar": "json_exists json_value",
    ": use json_extract": "json_query json_table json_array json_object",
    "": """
        approx_most_frequent approx_set array_first array_histogram array_last bar bitwise_and_agg
        bitwise_or_agg bitwise_xor_agg char2hexint checksum combinations contains_sequence
        cosine_distance cosine_similarity crc32 dot_product empty_approx_set entropy euclidean_distance
        format_number from_base from_base32 from_base64url from_ieee754_64 from_iso8601_timestamp_nanos
        from_unixtime_nanos hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 human_readable_seconds luhn_check
        map_union map_zip_with merge multimap_agg multimap_from_entries murmur3 ngrams normal_cdf
        normalize numeric_histogram parse_data_size parse_duration parse_presto_data_size qdigest_agg
        reduce_agg regr_intercept regr_slope sha512 shuffle soundex spooky_hash_v2_32 spooky_hash_v2_64
        tdigest_agg timezone_hour timezone_minute to_base to_base32 to_base64url to_char to_date
        to_ieee754_64 to_milliseconds to_timestamp trim_array value_at_quantile values_at_quantiles
        width_bucket with_timezone word_stem xxhash64 year_of_week yow
    """,
}
NOT_HERE = {name: instead for instead, names in _ELSE.items() for name in names.split()}
ALLOWED_FUNCTIONS = frozenset(_ALLOWED_FUNCTIONS.split())
# Words that may stand before a parenthesis and call nothing.
_WORDS_BEFORE_PARENTHESES = """
    all and any array as asc between bigint by case char cross cube decimal desc distinct else end
    escape except fetch filter from full group grouping having in inner intersect interval is join
    lateral left like limit map materialized not null numeric offset on or order ordinality outer
    over partition range recursive rollup row rows select sets similar some struct table then time
    system timestamp union unnest using values varbinary varchar when where window with within
"""
WORDS_BEFORE_PARENTHESES = frozenset([*_WORDS_BEFORE_PARENTHESES.split(), "grouping sets", "bernoulli"])
# Trino's functions as macros of DuckDB's; each is called with the prefix `trino_`.
_TEXT = "CASE WHEN json_valid(j) THEN json_extract_string(j, p) END"
MACROS = {
    # Of an object or an array this function returns NULL, and so it does of what is no JSON.
    "json_extract_scalar(j, p)": (
        f"CASE WHEN left({_TEXT}, 1) IN ('{{', '[') AND json_type(j, p) IN ('OBJECT', 'ARRAY') THEN NULL "
        f"ELSE {_TEXT} END"
    ),
    "json_extract(j, p)": "CASE WHEN json_valid(j) THEN json_extract(j, p) END",
    "json_parse(s)": "CAST(json(s) AS JSON)",
    "json_format(j)": "CAST(json(j) AS VARCHAR)",
    "json_array_length(j)": "CASE WHEN json_valid(j) THEN json_array_length(j) END",
    "json_array_get(j, i)": (
        "CASE WHEN json_valid(j) THEN json_extract_string(j, '$[' || CASE WHEN i < 0 THEN '#' ELSE '' END "
        "|| i || ']') END"
    ),
    "json_array_contains(j, v)": (
        "CASE WHEN json_valid(j) THEN list_contains(CAST(json_extract(j, '$[*]') AS VARCHAR[]), "
        "CAST(to_json(v) AS VARCHAR)) END"
    ),
    "json_size(j, p)": (
        "CASE WHEN json_valid(j) THEN CASE json_type(j, p) WHEN 'ARRAY' THEN json_array_length(j, p) "
        "WHEN 'OBJECT' THEN len(json_keys(j, p)) ELSE 0 END END"
    ),
    "is_json_scalar(j)": "json_type(j) NOT IN ('OBJECT', 'ARRAY')",
    "at_timezone(t, z)": "timezone(z, CAST(t AS TIMESTAMPTZ))",
    # Whole units that have passed, where DuckDB's function of this name counts how many began.
    "date_diff(u, a, b)": "date_sub(u, CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP))",
    "to_iso8601(t)": (
        "CASE WHEN typeof(t) = 'DATE' THEN strftime(CAST(t AS DATE), '%Y-%m-%d') "
        "WHEN typeof(t) NOT LIKE '%ZONE' THEN strftime(CAST(t AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%g') "
        "ELSE strftime(CAST(t AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%gZ') END"
    ),
    # Of a group that takes part in no match it is NULL, which the function for all matches alone tells.
    "regexp_extract(s, p, g := 0)": (
        "CASE WHEN regexp_extract(s, p, g) <> '' THEN regexp_extract(s, p, g) "
        "ELSE regexp_extract_all(s, p, g)[1] END"
    ),
    "regexp_replace(s, p, r := '')": "regexp_replace(s, p, r, 'g')",
    "re2_replacement(r)": r"regexp_replace(r, '\$(\d)', '\\\1', 'g')",
    "regexp_position(s, p)": (
        "CASE WHEN regexp_matches(s, p) THEN length(string_split_regex(s, p)[1]) + 1 "
        "WHEN s IS NOT NULL AND p IS NOT NULL THEN -1 END"
    ),
    "regexp_count(s, p)": "len(regexp_extract_all(s, p))",
    "regexp_split(s, p)": "string_split_regex(s, p)",
    "map_agg(k, v)": "map(list(k), list(v))",
    "zip(a, b)": "list_zip(a, b)",
    "arrays_overlap(a, b)": "list_has_any(a, b)",
    "array_remove(a, x)": "list_filter(a, lambda one: one <> x)",
    **{
        signature: (
            f"list_filter({value}, lambda one, n: n = CASE WHEN one IS NULL THEN "
            f"list_position(list_transform({value}, lambda x: x IS NULL), true) "
            f"ELSE list_position({value}, one) END)"
        )
        for signature, value in {
            "array_distinct(a)": "a",
            "array_union(a, b)": "list_concat(a, b)",
        }.items()
    },
    **{
        f"array_{which}(a)": (
            "CASE WHEN NOT list_contains(list_transform(a, lambda one: one IS NULL), true) "
            f"THEN list_{which}(a) END"
        )
        for which in ("max", "min")
    },
    "contains(a, x)": (
        "CASE WHEN list_contains(a, x) THEN true WHEN NOT list_contains(list_transform(a, "
        "lambda one: one IS NULL), true) AND x IS NOT NULL THEN false END"
    ),
    "every(x)": "bool_and(x)",
    "subscript(a, i)": (
        "list_extract(a, CASE WHEN i > len(a) THEN CAST('!INVALID_FUNCTION_ARGUMENT: Array subscript must be "
        "less than or equal to array length: ' || i || ' > ' || len(a) AS BIGINT) WHEN i = 0 THEN "
        "CAST('!INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1' AS BIGINT) WHEN i < 0 THEN "
        "CAST('!INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || i AS BIGINT) ELSE i END)"
    ),
    "array_position(a, x)": "if(a IS NULL OR x IS NULL, NULL, coalesce(list_position(a, x), 0))",
    "repeat(x, n)": "list_transform(range(n), lambda one: x)",
    "map_entries(m)": "list_transform(map_entries(m), lambda one: row(one.key, one.value))",
    "split(s, d, n := NULL)": (
        "CASE WHEN n IS NULL OR len(string_split(s, d)) <= n THEN string_split(s, d) ELSE list_append("
        "list_slice(string_split(s, d), 1, n - 1), "
        "array_to_string(list_slice(string_split(s, d), n, -1), d)) END"
    ),
    "split_part(s, d, n)": (
        "CASE WHEN n < 1 THEN CAST(CAST("
        "'!INVALID_FUNCTION_ARGUMENT: Index must be greater than zero' AS BIGINT) AS VARCHAR) "
        "WHEN n <= len(string_split(s, d)) THEN split_part(s, d, n) END"
    ),
    "split_to_multimap(s, d, e)": (
        "map_from_entries(list_transform(list_distinct(list_transform(string_split(s, d), "
        "lambda one: split_part(one, e, 1))), lambda k: row(k, "
        "list_transform(list_filter(string_split(s, d), lambda one: split_part(one, e, 1) = k), "
        "lambda one: substr(one, strpos(one, e) + length(e))))))"
    ),
    "strpos(s, t, n := 1)": (
        "CASE WHEN n = 1 THEN strpos(s, t) WHEN n < 1 THEN CAST("
        "'!INVALID_FUNCTION_ARGUMENT: ''instance'' must be a positive number here' AS BIGINT) "
        "WHEN len(string_split(s, t)) > n "
        "THEN length(array_to_string(list_slice(string_split(s, t), 1, n), t)) + 1 ELSE 0 END"
    ),
    **dict.fromkeys(
        ("substr(s, p, n := NULL)", "substring(s, p, n := NULL)"),
        "CASE WHEN p = 0 OR p < -length(s) THEN '' WHEN n IS NULL THEN substr(s, p) ELSE substr(s, p, n) END",
    ),
    "hamming_distance(a, b)": "hamming(a, b)",
    "bitwise_not(a)": "~CAST(a AS BIGINT)",
    "bit_count(a, n)": (
        "bit_count(CASE WHEN n = 64 THEN CAST(a AS BIGINT) "
        "ELSE CAST(a AS BIGINT) & ((1::BIGINT << n) - 1) END)"
    ),
    "bitwise_left_shift(a, n)": "CAST(a AS BIGINT) << n",
    "bitwise_right_shift(a, n)": "CAST(a AS BIGINT) >> n",
    "cbrt(x)": "CASE WHEN pow(round(cbrt(x)), 3) = x THEN round(cbrt(x)) ELSE cbrt(x) END",
    "decimal_units(x)": "CAST(replace(CAST(x AS VARCHAR), '.', '') AS HUGEINT)",
    "decimal_quotient(n, d)": (
        "CASE WHEN d = 0 THEN CAST('!DIVISION_BY_ZERO: Division by zero' AS HUGEINT) ELSE (CASE WHEN "
        "(n < 0) <> (d < 0) THEN -1 ELSE 1 END) * ((2 * abs(n) + abs(d)) // (2 * abs(d))) END"
    ),
    "split_to_map(s, d, e)": (
        "map_from_entries(list_transform(string_split(s, d), lambda one: row(split_part(one, e, 1), "
        "substr(one, strpos(one, e) + length(e)))))"
    ),
    "millisecond(t)": "millisecond(t) % 1000",
    "slice(a, f, n)": "list_slice(a, f, f + n - 1)",
    "url_extract_protocol(u)": "nullif(regexp_extract(u, '^([A-Za-z][A-Za-z0-9+.-]*)://', 1), '')",
    "url_extract_host(u)": "nullif(regexp_extract(u, '^[A-Za-z][A-Za-z0-9+.-]*://([^/:?#]+)', 1), '')",
    "url_extract_path(u)": "nullif(regexp_extract(u, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]*)', 1), '')",
    "url_extract_query(u)": "nullif(regexp_extract(u, '[?]([^#]*)', 1), '')",
    "url_extract_parameter(u, n)": (
        "url_decode(replace(nullif("
        "regexp_extract(u, '[?&]' || regexp_escape(n) || '=([^&#]*)', 1), ''), '+', ' '))"
    ),
    "url_extract_port(u)": (
        "TRY_CAST(nullif(regexp_extract(u, '^[A-Za-z][A-Za-z0-9+.-]*://[^/:?#]+:([0-9]+)', 1), '') AS BIGINT)"
    ),
    "url_decode(u)": "url_decode(replace(u, '+', ' '))",
    "url_encode(u)": "replace(url_encode(u), '%20', '+')",
    "current_timezone()": "'UTC'",
    "nan()": "CAST('nan' AS DOUBLE)",
    "infinity()": "CAST('infinity' AS DOUBLE)",
    "last_day_of_month(d)": "last_day(d)",
    "is_nan(x)": "isnan(x)",
    "is_finite(x)": "isfinite(x)",
    "is_infinite(x)": "isinf(x)",
    "e()": "exp(1)",
    "geometric_mean(x)": "exp(avg(ln(x)))",
    "codepoint(s)": "unicode(s)",
    "levenshtein_distance(a, b)": "levenshtein(a, b)",
    "truncate(x, n := 0)": "CASE WHEN n = 0 THEN trunc(x) ELSE trunc(x, n) END",
    "to_utf8(s)": "encode(s)",
    "from_utf8(b)": "decode(b)",
}
# Casts whose rules are not DuckDB's. What fails is a cast as well: `error` could not be used inside of TRY.
_NUMBER = r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|Infinity|NaN)\s*"
_TIME = r"[+-]?\d{4,}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?)?"
# DuckDB's type → what a text must look like, and Trino's name in the error
_FORMS = {
    "TINYINT": ("[+-]?[0-9]+", "TINYINT"), "SMALLINT": ("[+-]?[0-9]+", "SMALLINT"),
    "INTEGER": ("[+-]?[0-9]+", "INT"), "BIGINT": ("[+-]?[0-9]+", "BIGINT"), "FLOAT": (_NUMBER, "REAL"),
    "DOUBLE": (_NUMBER, "DOUBLE"), "BOOLEAN": ("(?i)t|true|1|f|false|0", "BOOLEAN"),
    "TIMESTAMP": (_TIME, "timestamp"),
}  # fmt: skip
CAST_NAMES = {
    exp.DType.TINYINT: "tinyint", exp.DType.SMALLINT: "smallint", exp.DType.INT: "integer",
    exp.DType.BIGINT: "bigint", exp.DType.FLOAT: "float", exp.DType.DOUBLE: "double",
    exp.DType.BOOLEAN: "boolean", exp.DType.TIMESTAMP: "timestamp", exp.DType.VARCHAR: "varchar",
    exp.DType.TEXT: "varchar",
}  # fmt: skip


def _failing(message: str, kind: str) -> str:
    """Return SQL of a type that fails with a message, where it is evaluated."""
    return f"CAST(CAST(CAST({message} AS BIGINT) AS VARCHAR) AS {kind})"


def _casts() -> Iterator[tuple[str, str]]:
    for kind, (pattern, name) in _FORMS.items():
        message = f"'!INVALID_CAST_ARGUMENT: Cannot cast ''' || CAST(x AS VARCHAR) || ''' to {name}'"
        if kind == "TIMESTAMP":
            message = "'!INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: ' || CAST(x AS VARCHAR)"
        for way, otherwise in (("CAST", _failing(message, kind)), ("TRY_CAST", "NULL")):
            rounded = f"WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN {way}(round(CAST(x AS DOUBLE)) AS {kind}) "
            yield (
                f"{way.lower()}_{kind.lower()}(x)",
                f"CASE WHEN typeof(x) = 'VARCHAR' AND NOT regexp_full_match(CAST(x AS VARCHAR), '{pattern}') "
                f"THEN {otherwise} {rounded if name.endswith('INT') else ''}ELSE {way}(x AS {kind}) END",
            )


# Texts of a value. A double's is that of Java's DecimalFormat("0.0###################E0").
_LIKE_TIME = (
    "left(CAST(x AS VARCHAR) || CASE WHEN contains(CAST(x AS VARCHAR), '.') THEN '000' ELSE '.000' END, 23)"
)
_ZONED = "split_part(CAST(x AS VARCHAR), '+', 1)"
_NO_TEXT = "'!TYPE_MISMATCH: Cannot cast ' || typeof(x) || ' to varchar'"
_NO_SCALAR = "'!INVALID_CAST_ARGUMENT: Cannot cast to varchar. Unexpected token: ' || CAST(x AS VARCHAR)"
_TEXTS = {
    "scientific_digits(v)": (
        "regexp_replace(regexp_replace(replace(ltrim(split_part(v, 'e', 1), '-'), '.', ''), '^0+', ''), "
        "'0+$', '')"
    ),
    "scientific_exponent(v)": (
        "CASE WHEN contains(v, 'e') THEN CAST(split_part(v, 'e', 2) AS INTEGER) "
        r"WHEN regexp_matches(v, '^-?0\.') THEN -1 - length(regexp_extract(v, '^-?0\.(0*)', 1)) "
        "ELSE length(regexp_extract(v, '[0-9]+')) - 1 END"
    ),
    "scientific(v)": (
        "CASE WHEN v IN ('0.0', '-0.0') THEN replace(v, '.0', 'E0') WHEN v LIKE '%inf' THEN "
        "replace(v, 'inf', 'Infinity') WHEN v = 'nan' THEN 'NaN' ELSE (CASE WHEN v LIKE '-%' THEN '-' "
        "ELSE '' END) || left(trino_scientific_digits(v), 1) || '.' || "
        "coalesce(nullif(substr(trino_scientific_digits(v), 2), ''), '0') || 'E' || "
        "trino_scientific_exponent(v) END"
    ),
    "cast_varchar(x)": (
        "CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN trino_scientific(CAST(x AS VARCHAR)) "
        f"WHEN typeof(x) = 'TIMESTAMP' THEN {_LIKE_TIME} WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN "
        f"{_LIKE_TIME.replace('CAST(x AS VARCHAR)', _ZONED)} || ' UTC' "
        "WHEN typeof(x) = 'JSON' THEN CASE WHEN left(CAST(x AS VARCHAR), 1) IN ('{', '[') THEN "
        f"{_failing(_NO_SCALAR, 'VARCHAR')} ELSE json_extract_string(CAST(x AS VARCHAR), '$') END "
        "WHEN typeof(x) LIKE '%[]' OR typeof(x) LIKE 'STRUCT%' OR typeof(x) LIKE 'MAP%' OR typeof(x) LIKE "
        f"'TUPLE%' THEN {_failing(_NO_TEXT, 'VARCHAR')} ELSE CAST(x AS VARCHAR) END"
    ),
}
_TEXTS["try_cast_varchar(x)"] = _TEXTS["cast_varchar(x)"]
MACROS |= dict(_casts()) | _TEXTS
# Those whose answer has the type of what they are given, where DuckDB's has another.
_AS_DATE = "lambda one: CAST(one AS DATE)"
_OF_TYPES = {
    "date_trunc": {
        "u, d DATE": "CAST(date_trunc(u, d) AS DATE)",
        "u, d TIMESTAMP": "date_trunc(u, d)",
        "u, d TIMESTAMPTZ": "date_trunc(u, d)",
    },
    "sequence": {
        "a BIGINT, b BIGINT": "generate_series(a, b, CASE WHEN a <= b THEN 1 ELSE -1 END)",
        "a BIGINT, b BIGINT, s BIGINT": "generate_series(a, b, s)",
        "a DATE, b DATE": f"list_transform(generate_series(a, b, INTERVAL 1 DAY), {_AS_DATE})",
        "a DATE, b DATE, s INTERVAL": f"list_transform(generate_series(a, b, s), {_AS_DATE})",
        "a TIMESTAMP, b TIMESTAMP, s INTERVAL": "generate_series(a, b, s)",
        "a TIMESTAMPTZ, b TIMESTAMPTZ, s INTERVAL": "generate_series(a, b, s)",
    },
}
MACRO_NAMES = frozenset(signature.partition("(")[0] for signature in MACROS) | _OF_TYPES.keys()


def macro_statements(query: str) -> list[str]:
    """Return the statements that make the macros that a query of DuckDB's calls."""
    called = set(re.findall(r"\btrino_(\w+)\(", query.lower(), re.ASCII))
    for signature, text in _TEXTS.items():  # macros that macros call
        if signature.partition("(")[0] in called:
            called |= set(re.findall(r"\btrino_(\w+)\(", text, re.ASCII))
    called |= {"scientific_digits", "scientific_exponent"} if "scientific" in called else set()
    made = [
        f"CREATE MACRO trino_{signature} AS ({text})"
        for signature, text in MACROS.items()
        if signature.partition("(")[0] in called
    ]
    for name, forms in _OF_TYPES.items():
        if name not in called:
            continue
        listed = ", ".join(f"({parameters}) AS ({text})" for parameters, text in forms.items())
        made.append(f"CREATE MACRO trino_{name}{listed}")
    return made
