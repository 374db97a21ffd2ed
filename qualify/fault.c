/* fault.c - the fault injector: the device ABI's table, each function passing on to the wrapped device,
 * run() also changing what one call wrote. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/fault.h>

typedef struct faulty {
    const fpx_accel *inner;
    void *device; /* the wrapped one's */
    fpx_fault fault;
    fpx_fault_report *report;
    unsigned char *now, *last; /* codes of the output: this call's, and the step's before (STALE) */
    size_t room;
    int have_last, struck;
} faulty;

const char *fpx_fault_name(fpx_fault_kind kind)
{
    static const char *const names[FPX_FAULT_KINDS] = { "bit", "ulp", "stale", "truncate" };

    return kind < FPX_FAULT_KINDS ? names[kind] : "unknown";
}

/* A fault is not something that options can say: fpx_fault_device is the way in. */
static fpx_status faulty_open(const char *options, void **ret_device, char *text, size_t text_size)
{
    (void)options;
    (void)ret_device;
    (void)snprintf(text, text_size, "a fault injector is opened by fpx_fault_device");
    return FPX_EUNSUPPORTED;
}

static void faulty_close(void *device)
{
    faulty *f = device;

    f->inner->close(f->device);
    free(f->now);
    free(f->last);
    free(f);
}

static void faulty_describe(void *device, char *text, size_t text_size)
{
    const faulty *f = device;

    f->inner->describe(f->device, text, text_size);
}

static fpx_status faulty_alloc(void *device, uint64_t bytes, uint32_t *ret_buffer)
{
    const faulty *f = device;

    return f->inner->alloc(f->device, bytes, ret_buffer);
}

static fpx_status faulty_adopt(void *device, void *address, uint64_t bytes, uint32_t *ret_buffer)
{
    const faulty *f = device;

    return f->inner->adopt ? f->inner->adopt(f->device, address, bytes, ret_buffer)
                           : FPX_EUNSUPPORTED;
}

static void faulty_release(void *device, uint32_t buffer)
{
    const faulty *f = device;

    f->inner->release(f->device, buffer);
}

static fpx_status faulty_write(void *device, uint32_t buffer, uint64_t offset, const void *src,
                               uint64_t bytes)
{
    const faulty *f = device;

    return f->inner->write(f->device, buffer, offset, src, bytes);
}

static fpx_status faulty_read(void *device, uint32_t buffer, uint64_t offset, void *dst,
                              uint64_t bytes)
{
    const faulty *f = device;

    return f->inner->read(f->device, buffer, offset, dst, bytes);
}

/* Is this the operation that the fault sits in? */
static int is_site(const faulty *f, const fpx_call *call)
{
    return strcmp(call->name, f->fault.op) == 0 && f->fault.out < call->nout;
}

static fpx_status faulty_prepare(void *device, const fpx_call *call, char *text, size_t text_size)
{
    faulty *f = device;

    if (is_site(f, call)) {
        const size_t bytes = fpx_tensor_bytes(&call->out[f->fault.out]);

        if (bytes > f->room) {
            unsigned char *now = realloc(f->now, bytes), *last;

            f->now = now ? now : f->now;
            last = realloc(f->last, bytes);
            f->last = last ? last : f->last;
            if (now == NULL || last == NULL) {
                (void)snprintf(text, text_size, "fault injector: out of memory");
                return FPX_ENOMEM;
            }
            f->room = bytes;
        }
    }
    return f->inner->prepare(f->device, call, text, text_size);
}

static uint64_t broken(const fpx_fault *fault, uint64_t code, unsigned bits)
{
    const uint64_t sign = UINT64_C(1) << (bits - 1);

    switch (fault->kind) {
    case FPX_FAULT_BIT:
        return code ^ (UINT64_C(1) << (fault->bit % bits));
    case FPX_FAULT_ULP:
        return (code & sign) | (((code & ~sign) + 1) & ~sign);
    default: /* FPX_FAULT_TRUNCATE */
        return code & ~((UINT64_C(1) << (fault->bit % bits)) - 1);
    }
}

static void strike(faulty *f, const fpx_tensor *t)
{
    const size_t n = fpx_tensor_count(t), size = fpx_format_size(&t->format);
    fpx_fault_report *r = f->report;

    *r = (fpx_fault_report){ 0 };
    for (size_t i = 0; i < n; i++) {
        const uint64_t before = fpx_format_code(&t->format, f->now, i);
        uint64_t after = before;

        if (f->fault.kind == FPX_FAULT_STALE)
            after = f->have_last ? fpx_format_code(&t->format, f->last, i) : before;
        else if (f->fault.kind == FPX_FAULT_TRUNCATE || i == f->fault.element)
            after = broken(&f->fault, before, t->format.bits);
        if (after == before)
            continue;
        if (r->changed++ == 0) {
            r->element = i;
            r->before = before;
            r->after = after;
        }
        memcpy(f->now + i * size, &after, size);
    }
}

static fpx_status faulty_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    faulty *f = device;
    fpx_status status = f->inner->run(f->device, call, text, text_size);
    const int near = f->fault.step == call->step || f->fault.step == call->step + 1;

    if (status != FPX_OK || f->struck || !near || !is_site(f, call))
        return status;
    const fpx_tensor *t = &call->out[f->fault.out];
    status =
        f->inner->read(f->device, t->place.buffer, t->place.offset, f->now, fpx_tensor_bytes(t));
    if (status != FPX_OK)
        return status;
    if (f->fault.step != call->step) { /* the step before: a stale result is taken from here */
        memcpy(f->last, f->now, fpx_tensor_bytes(t));
        f->have_last = 1;
        return FPX_OK;
    }
    strike(f, t);
    f->struck = 1;
    return f->inner->write(f->device, t->place.buffer, t->place.offset, f->now,
                           fpx_tensor_bytes(t));
}

static const fpx_accel faulty_table = { .struct_size = sizeof(fpx_accel),
                                        .version = FPX_ACCEL_VERSION,
                                        .name = "faulty",
                                        .open = faulty_open,
                                        .close = faulty_close,
                                        .describe = faulty_describe,
                                        .alloc = faulty_alloc,
                                        .adopt = faulty_adopt,
                                        .release = faulty_release,
                                        .write = faulty_write,
                                        .read = faulty_read,
                                        .prepare = faulty_prepare,
                                        .run = faulty_run };

fpx_status fpx_fault_device(const fpx_accel *inner, const char *options, const fpx_fault *fault,
                            fpx_fault_report *report, fpx_device **ret_device, fpx_error *err)
{
    faulty *f;
    char text[512] = "";
    fpx_status status;

    if (fault->kind >= FPX_FAULT_KINDS)
        return fpx_error_set(err, FPX_EINVAL, "fault kind %u is unknown", fault->kind);
    if ((f = calloc(1, sizeof *f)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "fault injector: out of memory");
    f->inner = inner;
    f->fault = *fault;
    f->report = report;
    *report = (fpx_fault_report){ 0 };
    status = inner->open(options, &f->device, text, sizeof text);
    if (status != FPX_OK) {
        free(f);
        return fpx_error_set(err, status, "%s,%s: %s", inner->name, options, text);
    }
    status = fpx_device_from_table("device-under-test", &faulty_table, f, ret_device, err);
    if (status != FPX_OK)
        faulty_close(f);
    return status;
}
