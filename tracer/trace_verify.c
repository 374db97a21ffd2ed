/* trace_verify.c - a trace against its own digests, from the values up to the chain: what differs first is named. */
#include <stdlib.h>

#include "trace_layout.h"
#include "trace_reader.h"

/* Names what differs: `what` of a record, an operation or the step. */
static fpx_status differs(const fpx_trace *trace, size_t index, const char *what, const char *name,
                          fpx_error *err)
{
    return fpx_error_set(err, FPX_ENUMERIC, "%s: step %llu: %s%s%s%s", trace->view.path,
                         (unsigned long long)trace->steps[index], what, name[0] != '\0' ? " '" : "",
                         name, name[0] != '\0' ? "'" : "");
}

/* Values against record digests; adds how many were checked. */
static fpx_status verify_values(fpx_trace *trace, size_t index, const fpx_digest *digests,
                                void *codes, size_t *checked, fpx_error *err)
{
    for (size_t i = 0; i < trace->layout->nrecords; i++) {
        const fpx_trace_record *record = &trace->layout->records[i];

        if (!record->values)
            continue;
        const fpx_status status = fpx_trace_values(trace, index, i, codes, err);
        if (status != FPX_OK)
            return status;
        if (!fpx_digest_equal(digests[i], fpx_digest_tensor(&record->desc, codes)))
            return differs(trace, index, "the values are not those digested, in", record->tensor,
                           err);
        ++*checked;
    }
    return FPX_OK;
}

/* Record digests against the operations', theirs against the step's. ops: nops digests. */
static fpx_status verify_tree(fpx_trace *trace, size_t index, const fpx_digest *digests,
                              fpx_digest *ops, fpx_digest *ret_step, fpx_error *err)
{
    const fpx_trace_record *records = trace->layout->records;
    fpx_digest step;
    size_t op = 0;
    fpx_status status = fpx_trace_op_digests(trace, index, ops, err);

    for (size_t from = 0, to; from < trace->layout->nrecords && status == FPX_OK; from = to, op++) {
        to = fpx_layout_op_end(trace->layout, from);
        if (!fpx_digest_equal(ops[op], fpx_digest_list(digests + from, to - from)))
            status = differs(trace, index, "the digest does not follow from the outputs', of",
                             records[from].op, err);
    }
    if (status == FPX_OK)
        status = fpx_trace_step_digest(trace, index, &step, err);
    if (status == FPX_OK && !fpx_digest_equal(step, fpx_digest_list(ops, trace->schema.nops)))
        status = differs(trace, index, "its digest does not follow from the operations'", "", err);
    if (status == FPX_OK)
        *ret_step = step;
    return status;
}

/* chain: before this step on entry, after it on return. */
static fpx_status verify_chain(fpx_trace *trace, size_t index, fpx_digest step, fpx_digest *chain,
                               fpx_error *err)
{
    const fpx_digest after = fpx_digest_chain(*chain, step);
    fpx_digest recorded;
    const fpx_status status = fpx_trace_chain_at(trace, index, &recorded, err);

    if (status != FPX_OK)
        return status;
    if (trace->spans[trace->open].first == index &&
        !fpx_digest_equal(trace->view.chain_before, *chain))
        return differs(trace, index, "its segment does not continue the one before", "", err);
    if (!fpx_digest_equal(recorded, after))
        return differs(trace, index, "its chain digest does not follow from the step before", "",
                       err);
    *chain = after;
    return FPX_OK;
}

/* Statistics, figures and step numbers: damage is a finding here. */
static fpx_status verify_parts(fpx_trace *trace, size_t index, fpx_error *err)
{
    const void *row = NULL;
    fpx_error inner = { 0 };
    fpx_status status = FPX_OK;

    for (size_t i = 0; i < fpx_schema_parts(&trace->schema) && status == FPX_OK; i++)
        status = fpx_trace_part(trace, index, i, &row, &inner);
    if (status == FPX_OK)
        return FPX_OK;
    return fpx_error_set(err, status == FPX_EFORMAT ? FPX_ENUMERIC : status, "%s", inner.text);
}

fpx_status fpx_trace_verify(fpx_trace *trace, size_t *ret_checked, fpx_error *err)
{
    const size_t nrecords = trace->layout->nrecords;
    fpx_digest chain = { { 0 } };
    fpx_digest step;
    size_t checked = 0;
    size_t most = 1;

    for (size_t i = 0; i < nrecords; i++) {
        if (trace->layout->records[i].values &&
            fpx_tensor_bytes(&trace->layout->records[i].desc) > most)
            most = fpx_tensor_bytes(&trace->layout->records[i].desc);
    }
    void *codes = malloc(most);
    fpx_digest *digests = malloc((nrecords + trace->schema.nops) * sizeof *digests);
    fpx_status status = FPX_OK;

    if (codes == NULL || digests == NULL) {
        free(digests);
        free(codes);
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for %zu bytes of values", trace->path,
                             most);
    }
    for (size_t i = 0; i < trace->nsteps && status == FPX_OK; i++) {
        status = fpx_trace_digests(trace, i, digests, err);
        if (status == FPX_OK)
            status = verify_values(trace, i, digests, codes, &checked, err);
        if (status == FPX_OK)
            status = verify_tree(trace, i, digests, digests + nrecords, &step, err);
        if (status == FPX_OK)
            status = verify_chain(trace, i, step, &chain, err);
        if (status == FPX_OK)
            status = verify_parts(trace, i, err);
    }
    free(digests);
    free(codes);
    if (status == FPX_OK)
        *ret_checked = checked;
    return status;
}
