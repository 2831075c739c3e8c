"""The functions that a query may call, by Trino's names, and those that DuckDB needs in other words."""

from __future__ import annotations

import re

# What is not here does not exist: FUNCTION_NOT_FOUND. So no function of DuckDB's own can be called.
_ALLOWED_FUNCTIONS = """
    abs acos all_match any_match any_value approx_distinct approx_percentile arbitrary array_agg
    array_distinct array_except array_intersect array_join array_max array_min array_position
    array_remove array_sort array_union arrays_overlap asin at_timezone atan atan2 avg bitwise_and
    bitwise_or bitwise_xor bool_and bool_or cardinality cast cbrt ceil ceiling chr coalesce codepoint
    concat concat_ws contains corr cos cosh count count_if covar_pop covar_samp cume_dist
    current_timestamp current_timezone date date_add date_diff date_format date_parse date_trunc day
    day_of_month day_of_week day_of_year degrees dense_rank dow doy e element_at ends_with every exists
    exp extract filter first_value flatten floor format format_datetime from_base64 from_hex
    from_iso8601_date from_iso8601_timestamp from_unixtime from_utf8 geometric_mean greatest grouping
    histogram hour if infinity is_finite is_infinite is_json_scalar is_nan json_array_contains
    json_array_get json_array_length json_extract json_extract_scalar json_format json_parse json_size
    kurtosis lag last_day_of_month last_value lead least length levenshtein_distance listagg ln localtime
    localtimestamp log log10 log2 lower lpad ltrim map map_agg map_concat map_entries map_from_entries
    map_keys map_values max max_by md5 millisecond min min_by minute mod month nan none_match now
    nth_value ntile nullif parse_datetime percent_rank pi position pow power quarter radians rand random
    rank reduce regexp_count regexp_extract regexp_extract_all regexp_like regexp_replace regexp_split
    repeat replace reverse round row row_number rpad rtrim second sequence sha1 sha256 sign sin sinh
    skewness slice split split_part split_to_map sqrt starts_with stddev stddev_pop stddev_samp strpos
    substr substring sum tan tanh to_base64 to_hex to_iso8601 to_unixtime to_utf8 transform translate
    trim truncate try try_cast typeof unnest upper url_decode url_encode url_extract_host
    url_extract_parameter url_extract_path url_extract_port url_extract_protocol url_extract_query uuid
    var_pop var_samp variance week week_of_year year zip
"""
ALLOWED_FUNCTIONS = frozenset(_ALLOWED_FUNCTIONS.split())
# Words that may stand before a parenthesis and call nothing.
_WORDS_BEFORE_PARENTHESES = """
    all and any array as asc between bigint by case char cross cube decimal desc distinct else end
    escape except fetch filter from full group grouping having in inner intersect interval is join
    lateral left like limit map materialized not null numeric offset on or order ordinality outer
    over partition range recursive rollup row rows select sets similar some struct table then time
    timestamp union unnest using values varbinary varchar when where window with within
"""
WORDS_BEFORE_PARENTHESES = frozenset(_WORDS_BEFORE_PARENTHESES.split())
# Trino's functions as macros of DuckDB's; each is called with the prefix `trino_`.
_TEXT = "CASE WHEN json_valid(j) THEN json_extract_string(j, p) END"
MACROS = {
    # Of an object or an array this function returns NULL, and so it does of what is no JSON.
    "json_extract_scalar(j, p)": (
        f"CASE WHEN left({_TEXT}, 1) IN ('{{', '[') AND json_type(j, p) IN ('OBJECT', 'ARRAY') THEN NULL "
        f"ELSE {_TEXT} END"
    ),
    "json_extract(j, p)": "CASE WHEN json_valid(j) THEN json_extract(j, p) END",
    "json_parse(s)": "CAST(s AS JSON)",
    "json_format(j)": "CAST(json(j) AS VARCHAR)",
    "json_array_length(j)": "CASE WHEN json_valid(j) THEN json_array_length(j) END",
    "json_array_get(j, i)": "CASE WHEN json_valid(j) THEN json_extract(j, '$[' || i || ']') END",
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
        "CASE typeof(t) WHEN 'DATE' THEN strftime(CAST(t AS DATE), '%Y-%m-%d') WHEN 'TIMESTAMP' "
        "THEN strftime(CAST(t AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%g') "
        "ELSE strftime(CAST(t AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%gZ') END"
    ),
    "regexp_extract(s, p, g := 0)": "CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END",
    "regexp_replace(s, p, r := '')": r"regexp_replace(s, p, regexp_replace(r, '\$(\d)', '\\\1', 'g'), 'g')",
    "regexp_count(s, p)": "len(regexp_extract_all(s, p))",
    "regexp_split(s, p)": "string_split_regex(s, p)",
    "map_agg(k, v)": "map(list(k), list(v))",
    "zip(a, b)": "list_zip(a, b)",
    "arrays_overlap(a, b)": "list_has_any(a, b)",
    "array_remove(a, x)": "list_filter(a, lambda one: one <> x)",
    "array_union(a, b)": "list_distinct(list_concat(a, b))",
    "array_position(a, x)": "if(a IS NULL OR x IS NULL, NULL, coalesce(list_position(a, x), 0))",
    "repeat(x, n)": "list_transform(range(n), lambda one: x)",
    "map_entries(m)": "list_transform(map_entries(m), lambda one: row(one.key, one.value))",
    "split(s, d, n := NULL)": (
        "CASE WHEN n IS NULL OR len(string_split(s, d)) <= n THEN string_split(s, d) ELSE list_append("
        "list_slice(string_split(s, d), 1, n - 1), "
        "array_to_string(list_slice(string_split(s, d), n, -1), d)) END"
    ),
    "split_part(s, d, n)": "CASE WHEN n <= len(string_split(s, d)) THEN split_part(s, d, n) END",
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
    "truncate(x)": "trunc(x)",
    "to_utf8(s)": "encode(s)",
    "from_utf8(b)": "decode(b)",
    "typeof(x)": "lower(typeof(x))",
}
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


# Joda's letters → strftime's, longest first; for literals of format_datetime and parse_datetime.
JODA = {
    "yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d",
    "d": "%-d", "EEEE": "%A", "EEE": "%a", "HH": "%H", "H": "%-H", "hh": "%I", "mm": "%M", "ss": "%S",
    "SSS": "%g", "a": "%p", "Z": "%z",
}  # fmt: skip


def joda_format(text: str) -> str:
    """Return strftime's format for one of Joda's; what stands between quotes is itself."""
    made, rest = "", text
    while rest:
        if rest[0] == "'":
            literal, _, rest = rest[1:].partition("'")
            made += literal.replace("%", "%%") or "'"
            continue
        letters = next((one for one in JODA if rest.startswith(one)), "")
        made += JODA[letters] if letters else rest[0].replace("%", "%%")
        rest = rest[len(letters) or 1 :]
    return made
