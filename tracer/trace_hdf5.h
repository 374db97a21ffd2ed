/* trace_hdf5.h - the little of HDF5 that a trace needs: typed attributes and contiguous datasets,
 * checked on the way in, with the library's own error printing switched off. */
#ifndef FPX_TRACE_HDF5_H
#define FPX_TRACE_HDF5_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

#include <fpx/digest.h>
#include <fpx/status.h>

enum { FPX_H5_MAX_RANK = 1 + FPX_MAX_DIMS };

/* Element types of a trace's datasets: never HDF5's floats for codes (its conversions of 8-bit
 * formats are wrong), all little-endian. */
typedef enum fpx_h5_type { FPX_H5_U8, FPX_H5_U16, FPX_H5_U32, FPX_H5_U64, FPX_H5_F64 } fpx_h5_type;

hid_t fpx_h5_type_id(fpx_h5_type type); /* not to be closed */
size_t fpx_h5_type_size(fpx_h5_type type);

/* HDF5 prints each failure unless told otherwise; what the caller's program had set is put back. */
typedef struct fpx_h5_muted {
    H5E_auto2_t function;
    void *data;
} fpx_h5_muted;

fpx_h5_muted fpx_h5_mute(void);
void fpx_h5_unmute(fpx_h5_muted muted);

/* The innermost text on HDF5's error stack, or "unknown reason". */
void fpx_h5_reason(char *ret_text, size_t size);

/* A fixed-length, zero-padded UTF-8 string type of `size` bytes; to be closed. */
hid_t fpx_h5_string(size_t size);

/* Properties of everything made here: no time stamps (equal traces are equal files), contiguous,
 * space given out at once, never filled. To be closed. */
hid_t fpx_h5_dataset_properties(void);
hid_t fpx_h5_group_properties(void);

/* Writers return a negative number on failure, as HDF5 does. */
herr_t fpx_h5_put_u64(hid_t object, const char *name, uint64_t value);
herr_t fpx_h5_put_text(hid_t object, const char *name, const char *text);
herr_t fpx_h5_put_u64s(hid_t object, const char *name, const uint64_t *values, size_t n);

/* Readers return 0 where the attribute is there and of this very type, -1 otherwise. */
int fpx_h5_get_u64(hid_t object, const char *name, uint64_t *ret_value);
int fpx_h5_get_digest(hid_t object, const char *name, fpx_digest *ret_digest);

/* A file opened for reading: HDF5's view of it and a descriptor for raw data. */
typedef struct fpx_h5_file {
    hid_t id;
    int fd;
    uint64_t size; /* without the seal */
} fpx_h5_file;

#define FPX_H5_NO_FILE ((fpx_h5_file){ .id = H5I_INVALID_HID, .fd = -1 })

/* FPX_EIO: cannot be opened; FPX_EFORMAT: not a sealed HDF5 file, or damaged. */
fpx_status fpx_h5_open(const char *path, fpx_h5_file *ret_file, fpx_error *err);
void fpx_h5_close(fpx_h5_file *file); /* FPX_H5_NO_FILE is fine */

/* Where the raw data of a dataset lies. rank: expected; dims[i]: the expected extent, or 0 for any,
 * then filled in. FPX_EFORMAT: absent, another type, rank or extent, not contiguous, outside the
 * file. On success the bytes offset .. offset + size are all in the file. */
fpx_status fpx_h5_locate(const fpx_h5_file *file, const char *path, const char *dataset, hid_t type,
                         size_t rank, uint64_t *dims, uint64_t *ret_offset, fpx_error *err);

/* Reads exactly n bytes of raw data; FPX_EFORMAT where the file ends before. */
fpx_status fpx_h5_pread(const fpx_h5_file *file, const char *path, uint64_t offset, void *data,
                        size_t n, fpx_error *err);

#endif /* FPX_TRACE_HDF5_H */
