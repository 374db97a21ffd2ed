/* fpx/status.h - the one error type. 0 is success, every failure is negative. */
#ifndef FPX_STATUS_H
#define FPX_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fpx_status {
    FPX_OK = 0,
    FPX_EINVAL = -1,       /* an argument breaks the function's stated contract */
    FPX_ENOMEM = -2,       /* memory, or a size that overflows size_t */
    FPX_EIO = -3,          /* the operating system refused: missing file, full disk, ... */
    FPX_EFORMAT = -4,      /* a file's content is malformed, truncated or foreign */
    FPX_EUNSUPPORTED = -5, /* well-formed, but this build or device cannot do it */
    FPX_EDEVICE = -6,      /* a device crashed, hung, or broke the ABI: a finding */
    FPX_ENUMERIC = -7,     /* NaN or Inf where none may be: a finding */
    FPX_EINTERRUPTED = -8  /* stopped by the user; state was saved */
} fpx_status;

/* What, where and what to do next, for a person. Filled only on failure; text is always
 * terminated and holds no newline at its end. */
typedef struct fpx_error {
    fpx_status status;
    char text[1024];
} fpx_error;

/* One short English phrase for a status, never NULL. */
const char *fpx_status_text(fpx_status status);

/* Fills *err (err may be NULL: then only returns) and returns status, so that a failing function
 * ends in `return fpx_error_set(err, FPX_EIO, "%s: %s", path, strerror(errno));`. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
fpx_status
fpx_error_set(fpx_error *err, fpx_status status, const char *format, ...);
#ifdef __clang_analyzer__ /* which sees one file at a time, and not what this returns */
#define fpx_error_set(err, status, ...) ((void)(fpx_error_set)(err, status, __VA_ARGS__), (status))
#endif

#ifdef __cplusplus
}
#endif

#endif /* FPX_STATUS_H */
