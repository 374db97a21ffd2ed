/* output.c - a result as a whole: into a file that is written whole or not at all, or into a stream. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <fpx/file.h>
#include <fpx/report.h>

/* A pipe to another program, /dev/null: nothing to replace. */
static int is_stream(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

fpx_status fpx_report_write(const char *path, const char *text, size_t count, fpx_error *err)
{
    const int to_stdout = strcmp(path, "-") == 0;
    FILE *f;
    int failed;

    if (!to_stdout && !is_stream(path))
        return fpx_file_write(path, text, count, err);
    f = to_stdout ? stdout : fopen(path, "w");
    failed = f == NULL || fwrite(text, 1, count, f) != count || fflush(f) != 0;
    if (f != NULL && !to_stdout)
        failed |= fclose(f) != 0;
    return failed ? fpx_error_set(err, FPX_EIO, "%s: cannot write the result",
                                  to_stdout ? "standard output" : path)
                  : FPX_OK;
}
