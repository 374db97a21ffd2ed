/* plugin_client.h - a plugin seen from the tool: a table of functions like any other device's, whose
 * every call crosses to the host process. */
#ifndef FPX_ACCEL_PLUGIN_CLIENT_H
#define FPX_ACCEL_PLUGIN_CLIENT_H

#include <stdint.h>

#include <fpx/accel.h>
#include <fpx/device.h>
#include <fpx/status.h>

typedef struct fpx_plugin fpx_plugin;

/* Starts a host for `path` and opens the plugin in it. Like a table's `open`: returns what the plugin
 * returned, with its text; FPX_EIO: no host could be started, or it could not load the plugin;
 * FPX_EINVAL: FPX_DEVICE_TIMEOUT. */
fpx_status fpx_plugin_start(const char *path, const char *options, fpx_plugin **ret_plugin,
                            char *text, size_t text_size);

/* The functions of an opened plugin (fpx_plugin as the device); `open` and `adopt` are NULL, the two
 * functions beside this stand for them. They pass on what the plugin returned, unjudged. */
extern const fpx_accel fpx_plugin_table;
fpx_status fpx_plugin_adopt(fpx_plugin *plugin, const fpx_arena *arena, uint32_t *ret_buffer);

/* What became of the host process, NULL while it lives and answers. */
const char *fpx_plugin_fate(const fpx_plugin *plugin);

/* Ends a host that is no longer to be trusted; every later call gives FPX_EDEVICE. */
void fpx_plugin_kill(fpx_plugin *plugin, const char *fate);

#endif /* FPX_ACCEL_PLUGIN_CLIENT_H */
