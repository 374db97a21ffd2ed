/* trace_schema.h - the datasets of a segment, computed from the layout alone, so that the writer
 * makes and the reader expects the same. */
#ifndef FPX_TRACE_SCHEMA_H
#define FPX_TRACE_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/trace.h>

#include "trace_hdf5.h"

/* A dataset of N rows, one a step. */
typedef struct fpx_column {
    char name[sizeof(fpx_trace_mode) + 16]; /* "values/layer.0:attn.qkv:y" */
    fpx_h5_type type;
    size_t rank;                    /* with the axis of steps */
    uint64_t dims[FPX_H5_MAX_RANK]; /* dims[0] is N's place: 0 */
    size_t row;                     /* bytes a step */
    size_t start;                   /* in the row buffer of the narrow columns */
} fpx_column;

/* Columns before the values, in order; figures take nmodes of them. */
enum {
    FPX_COLUMN_STEPS,
    FPX_COLUMN_RECORD_DIGEST,
    FPX_COLUMN_OP_DIGEST,
    FPX_COLUMN_STEP_DIGEST,
    FPX_COLUMN_CHAIN,
    FPX_COLUMN_PART_DIGEST, /* of this step's rows of `steps` and of the columns that follow */
    FPX_COLUMN_STATS,
    FPX_COLUMN_EXPONENTS,
    FPX_COLUMN_FIGURES
};

#define FPX_NO_COLUMN SIZE_MAX

/* Parts of a step that no tensor's digest covers: each has a digest of its own, in this order. */
enum { FPX_PART_STEPS, FPX_PART_STATS, FPX_PART_EXPONENTS, FPX_PART_FIGURES };

typedef struct fpx_schema {
    const fpx_trace_layout *layout; /* not owned */
    fpx_column *columns;
    size_t ncolumns;
    size_t nnarrow; /* columns that are written at commit; the rest are values */
    size_t nops;
    size_t narrow_row;    /* bytes a step of the narrow columns */
    uint64_t step_size;   /* bytes a step of all columns */
    size_t *value_column; /* of each record, or FPX_NO_COLUMN */
} fpx_schema;

/* layout: made by fpx_layout_copy. FPX_ENOMEM: memory, or a step beyond SIZE_MAX bytes. */
fpx_status fpx_schema_make(const fpx_trace_layout *layout, fpx_schema *ret_schema, fpx_error *err);
void fpx_schema_free(fpx_schema *schema);

/* FPX_PART_FIGURES + nmodes of them; the column of each. */
size_t fpx_schema_parts(const fpx_schema *schema);
size_t fpx_schema_part_column(size_t part);

/* The dataset that counts committed steps: u64[1], written last. */
#define FPX_COMMITTED "committed"

/* Rows of `stats` and of `figures`, as tables: the columns' names are an attribute of the file. */
enum { FPX_STATS_COLUMNS = 12, FPX_FIGURE_COLUMNS = FPX_FIGURE_FIELDS };

extern const char fpx_stats_names[];  /* "count nan inf ..." */
extern const char fpx_figure_names[]; /* "max_abs rms ..." */

void fpx_stats_to_row(const fpx_stats *stats, double scale, double *row, uint32_t *exponents);
/* 0 where a count is no whole number of at most 2^53. */
int fpx_stats_from_row(const double *row, const uint32_t *exponents, fpx_stats *ret_stats,
                       double *ret_scale);
void fpx_figure_to_row(const fpx_figure *figure, double *row);
void fpx_figure_from_row(const double *row, fpx_figure *ret_figure);

#endif /* FPX_TRACE_SCHEMA_H */
