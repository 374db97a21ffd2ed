/* plugin_spawn.h - starting and ending a plugin's host process. */
#ifndef FPX_ACCEL_PLUGIN_SPAWN_H
#define FPX_ACCEL_PLUGIN_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <fpx/status.h>

/* Starts fpx-plugin-host in a process group of its own, with `socket` and `memory` as its FPX_WIRE_*
 * descriptors. label: shown by ps. ret_host: its path, host_size bytes of it.
 * FPX_EIO: it was not found or could not be started. */
fpx_status fpx_plugin_spawn(const char *label, int socket, int memory, pid_t *ret_pid,
                            char *ret_host, size_t host_size, fpx_error *err);

/* 1 where the process has ended: then its group is killed, it is reaped, and text says how it ended
 * ("was killed by signal 11 (SIGSEGV)"). 0 after limit_ns without an end. */
int fpx_plugin_reap(pid_t pid, int64_t limit_ns, char *text, size_t text_size);

/* Kills the whole group. The process stays to be reaped. */
void fpx_plugin_signal_kill(pid_t pid);

#endif /* FPX_ACCEL_PLUGIN_SPAWN_H */
