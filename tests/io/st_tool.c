/* st_tool.c - the reader and the writer at a script's hand: `st_tool dump FILE`, `st_tool copy FROM TO`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/safetensors.h>

/* One line for each tensor: format, extents, data in hexadecimal, name. */
static void dump(const fpx_st_file *file)
{
    for (size_t i = 0; i < fpx_st_count(file); i++) {
        const fpx_st_entry *e = fpx_st_at(file, i);
        const unsigned char *data = e->data;

        printf("%s [", e->desc.format.name);
        for (size_t axis = 0; axis < e->desc.ndim; axis++)
            printf("%s%" PRIu64, axis ? "," : "", e->desc.shape[axis]);
        printf("] ");
        for (size_t k = 0; k < fpx_tensor_bytes(&e->desc); k++)
            printf("%02x", data[k]);
        printf(" %s\n", e->name);
    }
}

static fpx_status copy(const fpx_st_file *file, const char *to, fpx_error *err)
{
    const size_t n = fpx_st_count(file);
    fpx_st_entry *entries = calloc(n + 1, sizeof *entries);
    const char *note = fpx_st_metadata(file, "note");
    const fpx_st_pair pair = { "note", note != NULL ? note : "" };

    if (entries == NULL)
        return FPX_ENOMEM;
    for (size_t i = 0; i < n; i++)
        entries[i] = *fpx_st_at(file, i);
    const fpx_status status = fpx_st_write(to, entries, n, &pair, note != NULL, err);
    free(entries);
    return status;
}

int main(int argc, char **argv)
{
    fpx_error err = { .status = FPX_OK };
    fpx_st_file *file = NULL;
    fpx_status status;

    if (argc < 3)
        return 2;
    status = fpx_st_open(argv[2], &file, &err);
    if (status == FPX_OK && strcmp(argv[1], "copy") == 0 && argc == 4)
        status = copy(file, argv[3], &err);
    else if (status == FPX_OK)
        dump(file);
    fpx_st_close(file);
    if (status != FPX_OK)
        fprintf(stderr, "%s\n", err.text);
    return status == FPX_OK ? 0 : 1;
}
