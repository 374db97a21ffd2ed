/* trace_schema.c - names, types and shapes of a segment's datasets; statistics and figures as rows. */
#include "trace_schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_layout.h"

/* ---- statistics and figures: which column is which field ---- */
const char fpx_stats_names[] = "count nan inf zero subnormal saturated amax min max mean rms scale";
const char fpx_figure_names[] =
    "max_abs rms rms_reference cosine ratio mismatches element expected actual "
    "expected_bits actual_bits";

static const size_t count_fields[] = {
    offsetof(fpx_stats, count), offsetof(fpx_stats, nan),       offsetof(fpx_stats, inf),
    offsetof(fpx_stats, zero),  offsetof(fpx_stats, subnormal), offsetof(fpx_stats, saturated),
};
static const size_t real_fields[] = {
    offsetof(fpx_stats, amax), offsetof(fpx_stats, min), offsetof(fpx_stats, max),
    offsetof(fpx_stats, mean), offsetof(fpx_stats, rms),
};

enum {
    COUNTS = sizeof count_fields / sizeof *count_fields,
    REALS = sizeof real_fields / sizeof *real_fields
};

_Static_assert(COUNTS + REALS + 1 == FPX_STATS_COLUMNS, "each statistic, then the scale");
_Static_assert(sizeof(fpx_stats) == (size_t)(COUNTS + REALS + FPX_STATS_BINS) * 8,
               "no statistic left out");
_Static_assert(sizeof(fpx_figure) == FPX_FIGURE_COLUMNS * sizeof(double),
               "a figure is a row of float64: add the new field's name to fpx_figure_names");

void fpx_stats_to_row(const fpx_stats *stats, double scale, double *row, uint32_t *exponents)
{
    const unsigned char *from = (const unsigned char *)stats;

    for (size_t i = 0; i < COUNTS; i++) {
        uint64_t count;
        memcpy(&count, from + count_fields[i], sizeof count);
        row[i] = (double)count; /* below 2^32: the layout was checked */
    }
    for (size_t i = 0; i < REALS; i++)
        memcpy(&row[COUNTS + i], from + real_fields[i], sizeof *row);
    row[COUNTS + REALS] = scale;
    for (size_t i = 0; i < FPX_STATS_BINS; i++)
        exponents[i] = (uint32_t)stats->exponent[i];
}

int fpx_stats_from_row(const double *row, const uint32_t *exponents, fpx_stats *ret_stats,
                       double *ret_scale)
{
    fpx_stats stats;
    unsigned char *to = (unsigned char *)&stats;

    for (size_t i = 0; i < COUNTS; i++) {
        if (!(row[i] >= 0.0 && row[i] <= 0x1p53) || row[i] != floor(row[i]))
            return 0;
        const uint64_t count = (uint64_t)row[i];
        memcpy(to + count_fields[i], &count, sizeof count);
    }
    for (size_t i = 0; i < REALS; i++)
        memcpy(to + real_fields[i], &row[COUNTS + i], sizeof *row);
    for (size_t i = 0; i < FPX_STATS_BINS; i++)
        stats.exponent[i] = exponents[i];
    *ret_stats = stats;
    *ret_scale = row[COUNTS + REALS];
    return 1;
}

void fpx_figure_to_row(const fpx_figure *figure, double *row)
{
    memcpy(row, figure, sizeof *figure);
}

void fpx_figure_from_row(const double *row, fpx_figure *ret_figure)
{
    memcpy(ret_figure, row, sizeof *ret_figure);
}

/* ---- columns ---- */
/* Appends a column; dims are those after the axis of steps. 0 where its row exceeds SIZE_MAX. */
static int add_column(fpx_schema *schema, fpx_h5_type type, size_t rank, const uint64_t *dims,
                      const char *group, const char *name)
{
    fpx_column *column = &schema->columns[schema->ncolumns];
    size_t row = fpx_h5_type_size(type);

    snprintf(column->name, sizeof column->name, "%s%s", group, name);
    for (char *c = column->name + strlen(group); *c != '\0'; c++) {
        if (*c == '/') /* a record's name is one link, or `a` and `a/b` would collide */
            *c = ':';
    }
    column->type = type;
    column->rank = 1 + rank;
    column->dims[0] = 0;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] != 0 && row > SIZE_MAX / dims[i])
            return 0;
        column->dims[1 + i] = dims[i];
        row *= (size_t)dims[i];
    }
    if (row > UINT64_MAX / 2 - schema->step_size)
        return 0;
    column->row = row;
    schema->step_size += row;
    schema->ncolumns++;
    return 1;
}

size_t fpx_schema_parts(const fpx_schema *schema)
{
    return FPX_PART_FIGURES + schema->layout->nmodes;
}

size_t fpx_schema_part_column(size_t part)
{
    return part == FPX_PART_STEPS ? (size_t)FPX_COLUMN_STEPS
                                  : FPX_COLUMN_STATS + (part - FPX_PART_STATS);
}

static int add_narrow(fpx_schema *schema)
{
    const uint64_t nrecords = schema->layout->nrecords;
    const uint64_t digests[2] = { nrecords, sizeof(fpx_digest) };
    const uint64_t ops[2] = { schema->nops, sizeof(fpx_digest) };
    const uint64_t one[1] = { sizeof(fpx_digest) };
    const uint64_t parts[2] = { fpx_schema_parts(schema), sizeof(fpx_digest) };
    const uint64_t stats[2] = { nrecords, FPX_STATS_COLUMNS };
    const uint64_t bins[2] = { nrecords, FPX_STATS_BINS };
    const uint64_t figures[2] = { nrecords, FPX_FIGURE_COLUMNS };
    int ok = add_column(schema, FPX_H5_U64, 0, NULL, "", "steps") &&
             add_column(schema, FPX_H5_U8, 2, digests, "digest/", "record") &&
             add_column(schema, FPX_H5_U8, 2, ops, "digest/", "op") &&
             add_column(schema, FPX_H5_U8, 1, one, "digest/", "step") &&
             add_column(schema, FPX_H5_U8, 1, one, "digest/", "chain") &&
             add_column(schema, FPX_H5_U8, 2, parts, "digest/", "part") &&
             add_column(schema, FPX_H5_F64, 2, stats, "", "stats") &&
             add_column(schema, FPX_H5_U32, 2, bins, "", "exponents");

    for (size_t mode = 0; mode < schema->layout->nmodes && ok; mode++)
        ok = add_column(schema, FPX_H5_F64, 2, figures, "figures/",
                        schema->layout->modes[mode].name);
    schema->nnarrow = schema->ncolumns;
    for (size_t i = 0; i < schema->nnarrow; i++) {
        schema->columns[i].start = schema->narrow_row;
        schema->narrow_row += schema->columns[i].row; /* multiples of 8: every column is aligned */
    }
    return ok;
}

static int add_values(fpx_schema *schema, const fpx_trace_record *record)
{
    static const fpx_h5_type types[] = {
        [1] = FPX_H5_U8, [2] = FPX_H5_U16, [4] = FPX_H5_U32, [8] = FPX_H5_U64
    };
    const fpx_tensor *desc = &record->desc;
    const uint64_t bytes = fpx_tensor_bytes(desc);

    if (desc->packing == FPX_PACK_DENSE)
        return add_column(schema, FPX_H5_U8, 1, &bytes, "values/", record->tensor);
    return add_column(schema, types[fpx_format_size(&desc->format)], desc->ndim, desc->shape,
                      "values/", record->tensor);
}

fpx_status fpx_schema_make(const fpx_trace_layout *layout, fpx_schema *ret_schema, fpx_error *err)
{
    const size_t most = FPX_COLUMN_FIGURES + layout->nmodes + layout->nrecords;
    fpx_schema schema = { .layout = layout,
                          .nops = fpx_layout_ops(layout),
                          .columns = calloc(most, sizeof *schema.columns),
                          .value_column = calloc(layout->nrecords, sizeof *schema.value_column) };
    int ok = schema.columns != NULL && schema.value_column != NULL && add_narrow(&schema);

    for (size_t i = 0; i < layout->nrecords && ok; i++) {
        schema.value_column[i] = FPX_NO_COLUMN;
        if (layout->records[i].values) {
            schema.value_column[i] = schema.ncolumns;
            ok = add_values(&schema, &layout->records[i]);
        }
    }
    if (!ok) {
        fpx_schema_free(&schema);
        return fpx_error_set(err, FPX_ENOMEM, "a step of this trace does not fit into memory");
    }
    *ret_schema = schema;
    return FPX_OK;
}

void fpx_schema_free(fpx_schema *schema)
{
    free(schema->columns);
    free(schema->value_column);
    *schema = (fpx_schema){ .layout = NULL };
}
