/* status.c - status phrases and the one way to fill an fpx_error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fpx/status.h>

const char *fpx_status_text(fpx_status status)
{
    switch (status) {
    case FPX_OK:
        return "success";
    case FPX_EINVAL:
        return "invalid argument";
    case FPX_ENOMEM:
        return "out of memory";
    case FPX_EIO:
        return "input or output failed";
    case FPX_EFORMAT:
        return "malformed data";
    case FPX_EUNSUPPORTED:
        return "not supported here";
    case FPX_EDEVICE:
        return "device failed";
    case FPX_ENUMERIC:
        return "NaN or Inf where none may be";
    case FPX_EINTERRUPTED:
        return "interrupted";
    }
    return "unknown status";
}

fpx_status fpx_error_set(fpx_error *err, fpx_status status, const char *format, ...)
{
    if (err == NULL)
        return status;

    va_list args;

    err->status = status;
    va_start(args, format);
    const int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (n < 0) /* an encoding error; what vsnprintf left is unspecified */
        err->text[0] = '\0';
    size_t length = strlen(err->text);
    while (length > 0 && err->text[length - 1] == '\n')
        err->text[--length] = '\0';
    return status;
}
