/* config_unit.c - a matrix unit of one's own from its file. */
#include <stdlib.h>
#include <string.h>

#include <fpx/config.h>

#include "config_load.h"

fpx_status fpx_unit_parse(const char *label, const char *text, fpx_unit **ret_unit, fpx_error *err)
{
    const size_t count = strlen(text);
    void *data = NULL;

    if (count > IO_CONFIG_BYTES)
        return fpx_error_set(err, FPX_EFORMAT, "%s: larger than the %d bytes allowed here", label,
                             IO_CONFIG_BYTES);
    const fpx_status status = io_config_load(label, text, count, &io_unit_schema, &data, err);
    if (status == FPX_OK)
        *ret_unit = data;
    return status;
}

fpx_status fpx_unit_read(const char *path, fpx_unit **ret_unit, fpx_error *err)
{
    char *text = NULL;
    size_t count = 0;
    fpx_status status = io_config_text(path, &text, &count, err);

    if (text != NULL)
        status = fpx_unit_parse(path, text, ret_unit, err);
    free(text);
    return status;
}

void fpx_unit_free(fpx_unit *unit)
{
    if (unit != NULL)
        io_config_free(&io_unit_schema, unit);
}
