/* plugin_table.c - checks a device's table before the first call through it. */
#include "plugin_table.h"

#include <stdio.h>

fpx_status fpx_plugin_table_check(const fpx_accel *table, char *text, size_t text_size)
{
    /* The first two fields are where every version has them; nothing else is read before. */
    if (table->version != FPX_ACCEL_VERSION) {
        snprintf(text, text_size, "its table is of ABI version %u, this build speaks version %d",
                 table->version, FPX_ACCEL_VERSION);
        return FPX_EUNSUPPORTED;
    }
    if (table->struct_size < sizeof *table) {
        snprintf(text, text_size, "its table has %u bytes, version %d has %zu", table->struct_size,
                 FPX_ACCEL_VERSION, sizeof *table);
        return FPX_EUNSUPPORTED;
    }

    const struct {
        const char *name;
        int present;
    } required[] = {
        { "open", table->open != NULL },         { "close", table->close != NULL },
        { "describe", table->describe != NULL }, { "alloc", table->alloc != NULL },
        { "release", table->release != NULL },   { "write", table->write != NULL },
        { "read", table->read != NULL },         { "prepare", table->prepare != NULL },
        { "run", table->run != NULL },
    };
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (!required[i].present) {
            snprintf(text, text_size, "its table has no function '%s'", required[i].name);
            return FPX_EDEVICE;
        }
    }
    return FPX_OK;
}
