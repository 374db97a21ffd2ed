/* trace_layout.h - the layout of a trace: checked, normalized, copied, and as the rows of the
 * tables that the master file holds. */
#ifndef FPX_TRACE_LAYOUT_H
#define FPX_TRACE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/trace.h>

/* Limits that keep a foreign file from asking for absurd amounts of memory. */
enum { FPX_LAYOUT_RECORDS = 1 << 20, FPX_LAYOUT_ALIAS = 28 };

/* Texts of a layout, in the order of its members: experiment, overrides, recipe, device, version. */
enum { FPX_LAYOUT_TEXTS = 5 };

/* One row of the master's `formats`. Every byte is written: the rows are digested. */
typedef struct fpx_format_row {
    char name[FPX_FORMAT_NAME_MAX];
    char alias[FPX_LAYOUT_ALIAS]; /* ml_dtypes' or numpy's name */
    uint32_t cls, bits, ebits, mbits, specials, flags;
    int32_t bias;
    uint64_t max_code, nan_code;
} fpx_format_row;

/* One row of the master's `records`. */
typedef struct fpx_record_row {
    char tensor[FPX_TRACE_NAME], op[FPX_TRACE_NAME], kind[24], role[16], device[FPX_TRACE_NAME];
    char format[FPX_FORMAT_NAME_MAX]; /* of the codes: a row of `formats` */
    char scale_format[FPX_MAX_SCALES][FPX_FORMAT_NAME_MAX];
    int32_t layer;
    uint32_t op_index, values, packing, ndim, nscales;
    uint32_t scale_layout[FPX_MAX_SCALES];
    uint64_t shape[FPX_MAX_DIMS];
    uint64_t scale_block[FPX_MAX_SCALES][FPX_MAX_DIMS];
} fpx_record_row;

/* The tables, and a digest of what they say. */
typedef struct fpx_layout_rows {
    fpx_format_row *formats;
    size_t nformats;
    fpx_record_row *records;
    size_t nrecords;
    fpx_trace_mode modes[FPX_TRACE_MODES];
    size_t nmodes;
    fpx_digest digest; /* of the three tables: what two parts of one trace must have in common */
} fpx_layout_rows;

/* Names of modes as they are stored, `packed` having room for all: of FPX_SHORT_MODE bytes where they fit, as all were
 * once, else of their own. Returns the bytes of each. */
enum { FPX_SHORT_MODE = 24 };
size_t fpx_layout_pack_modes(const fpx_layout_rows *rows, char *packed);

/* A checked copy in one block of memory, to be freed with free(). Names are padded with zeros,
 * descriptors are row-major and without places. FPX_EINVAL with text, FPX_ENOMEM. */
fpx_status fpx_layout_copy(const fpx_trace_layout *layout, fpx_trace_layout **ret_copy,
                           fpx_error *err);

/* The rows of a layout that fpx_layout_copy made. FPX_EINVAL: two formats of one name. */
fpx_status fpx_layout_to_rows(const fpx_trace_layout *layout, fpx_layout_rows *ret_rows,
                              fpx_error *err);

/* The layout that the rows of a file describe, checked as any other. FPX_EFORMAT, FPX_ENOMEM. */
fpx_status fpx_layout_from_rows(const fpx_layout_rows *rows,
                                const char *const texts[FPX_LAYOUT_TEXTS],
                                fpx_trace_layout **ret_layout, fpx_error *err);

fpx_digest fpx_layout_rows_digest(const fpx_layout_rows *rows);
void fpx_layout_rows_free(fpx_layout_rows *rows);

/* Says in text how b, "here", differs from a, "there" (records, modes): the first field that does, and both values; or
 * returns 0: they are the same. Threads and instruction set of the built-in device are no difference. */
int fpx_layout_differs(const fpx_trace_layout *a, const fpx_trace_layout *b, char *ret_text,
                       size_t size);

/* Operations: runs of records of one op_index. */
size_t fpx_layout_ops(const fpx_trace_layout *layout);
/* Past the last record of the operation that `record` belongs to. */
size_t fpx_layout_op_end(const fpx_trace_layout *layout, size_t record);

#endif /* FPX_TRACE_LAYOUT_H */
