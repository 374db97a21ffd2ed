/* trace_tables.c - the HDF5 types of the master's tables, as data: a row in memory is a row in the file, with
 * numbers in little-endian order. */
#include "trace_tables.h"

#include "trace_hdf5.h"
#include "trace_layout.h"

enum field_kind { FIELD_TEXT, FIELD_U32, FIELD_I32, FIELD_U64 };

typedef struct field {
    const char *name;
    size_t offset;
    enum field_kind kind;
    size_t size;     /* bytes of one FIELD_TEXT */
    hsize_t dims[2]; /* of an array; 0: none */
} field;

#define TEXT(ROW, NAME)                                                                            \
    {                                                                                              \
#NAME, offsetof(ROW, NAME), FIELD_TEXT, sizeof(((ROW *)0)->NAME),                          \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define NUMBER(ROW, NAME, KIND)                                                                    \
    {                                                                                              \
#NAME, offsetof(ROW, NAME), KIND, 0,                                                       \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }

static const field format_fields[] = {
    TEXT(fpx_format_row, name),
    TEXT(fpx_format_row, alias),
    NUMBER(fpx_format_row, cls, FIELD_U32),
    NUMBER(fpx_format_row, bits, FIELD_U32),
    NUMBER(fpx_format_row, ebits, FIELD_U32),
    NUMBER(fpx_format_row, mbits, FIELD_U32),
    NUMBER(fpx_format_row, specials, FIELD_U32),
    NUMBER(fpx_format_row, flags, FIELD_U32),
    NUMBER(fpx_format_row, bias, FIELD_I32),
    NUMBER(fpx_format_row, max_code, FIELD_U64),
    NUMBER(fpx_format_row, nan_code, FIELD_U64),
};

static const field record_fields[] = {
    TEXT(fpx_record_row, tensor),
    TEXT(fpx_record_row, op),
    TEXT(fpx_record_row, kind),
    TEXT(fpx_record_row, role),
    TEXT(fpx_record_row, device),
    TEXT(fpx_record_row, format),
    { "scale_format",
      offsetof(fpx_record_row, scale_format),
      FIELD_TEXT,
      FPX_FORMAT_NAME_MAX,
      { FPX_MAX_SCALES, 0 } },
    NUMBER(fpx_record_row, layer, FIELD_I32),
    NUMBER(fpx_record_row, op_index, FIELD_U32),
    NUMBER(fpx_record_row, values, FIELD_U32),
    NUMBER(fpx_record_row, packing, FIELD_U32),
    NUMBER(fpx_record_row, ndim, FIELD_U32),
    NUMBER(fpx_record_row, nscales, FIELD_U32),
    { "scale_layout", offsetof(fpx_record_row, scale_layout), FIELD_U32, 0, { FPX_MAX_SCALES, 0 } },
    { "shape", offsetof(fpx_record_row, shape), FIELD_U64, 0, { FPX_MAX_DIMS, 0 } },
    { "scale_block",
      offsetof(fpx_record_row, scale_block),
      FIELD_U64,
      0,
      { FPX_MAX_SCALES, FPX_MAX_DIMS } },
};

static hid_t field_type(const field *f)
{
    hid_t type = H5I_INVALID_HID;

    switch (f->kind) {
    case FIELD_TEXT:
        type = fpx_h5_string(f->size);
        break;
    case FIELD_U32:
        type = H5Tcopy(H5T_STD_U32LE);
        break;
    case FIELD_I32:
        type = H5Tcopy(H5T_STD_I32LE);
        break;
    case FIELD_U64:
        type = H5Tcopy(H5T_STD_U64LE);
        break;
    }
    if (f->dims[0] != 0) {
        const hid_t array = H5Tarray_create2(type, f->dims[1] != 0 ? 2 : 1, f->dims);
        H5Tclose(type);
        type = array;
    }
    return type;
}

static hid_t row_type(const field *fields, size_t n, size_t size)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, size);

    for (size_t i = 0; i < n; i++) {
        const hid_t member = field_type(&fields[i]);
        H5Tinsert(type, fields[i].name, fields[i].offset, member);
        H5Tclose(member);
    }
    return type;
}

hid_t fpx_format_row_type(void)
{
    return row_type(format_fields, sizeof format_fields / sizeof *format_fields,
                    sizeof(fpx_format_row));
}

hid_t fpx_record_row_type(void)
{
    return row_type(record_fields, sizeof record_fields / sizeof *record_fields,
                    sizeof(fpx_record_row));
}
