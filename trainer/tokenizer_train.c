/* tokenizer_train.c - learns merges: the pieces of the text are counted once; then each merge changes only the
 * pieces that hold its pair, and a heap knows the most frequent pair. The heap is lazy: a pair has an entry
 * whose count is at least its present one, and is looked at again when that entry comes up. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer_parts.h"

/* A distinct piece as tokens, and how often it occurs. */
typedef struct piece {
    uint32_t at; /* in tokens[] */
    uint32_t length;
    uint32_t bytes; /* in the text: where it was met first */
    uint32_t nbytes;
    uint64_t count;
} piece;

/* A pair, how often it occurs, and which pieces hold it (or held it once). */
typedef struct pair {
    uint32_t key;
    uint32_t n, room;
    uint32_t *pieces;
    uint64_t count;
} pair;

typedef struct entry {
    uint64_t count;
    uint32_t key, pair;
} entry;

typedef struct learner {
    const unsigned char *text;
    piece *pieces;
    size_t npieces, pieces_room;
    uint32_t *table; /* of pieces by content, 2^bits places; PAIR_NONE: free */
    unsigned bits;
    uint16_t *tokens;
    pair_map map; /* key -> index in pairs */
    pair *pairs;
    size_t npairs, pairs_room;
    entry *heap;
    size_t nheap, heap_room;
} learner;

/* Room for one more. */
static fpx_status grow(void **array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return FPX_OK;
    const size_t more = *room == 0 ? 256 : 2 * *room;
    void *larger = more < PAIR_NONE ? realloc(*array, more * size) : NULL;

    if (larger == NULL)
        return FPX_ENOMEM;
    *array = larger;
    *room = more;
    return FPX_OK;
}

/* ---- pieces ---- */
/* FNV-1a, 64 bits, its upper ones. */
static size_t hash(const unsigned char *bytes, size_t n, unsigned bits)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    return (size_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

static uint32_t *place_of(const learner *l, const unsigned char *bytes, size_t n)
{
    const size_t mask = ((size_t)1 << l->bits) - 1;
    size_t at = hash(bytes, n, l->bits);

    while (l->table[at] != PAIR_NONE) {
        const piece *p = &l->pieces[l->table[at]];

        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the table names written pieces only */
        if (p->nbytes == n && memcmp(l->text + p->bytes, bytes, n) == 0)
            break;
        at = (at + 1) & mask;
    }
    return &l->table[at];
}

static fpx_status grow_table(learner *l)
{
    if (l->table != NULL && 2 * (l->npieces + 1) <= (size_t)1 << l->bits)
        return FPX_OK;
    const unsigned bits = l->table == NULL ? 12 : l->bits + 1;
    uint32_t *table = malloc(sizeof *table << bits);

    if (table == NULL)
        return FPX_ENOMEM;
    free(l->table);
    l->table = table;
    l->bits = bits;
    memset(table, 0xff, sizeof *table << bits); /* PAIR_NONE */
    for (size_t i = 0; i < l->npieces; i++)
        *place_of(l, l->text + l->pieces[i].bytes, l->pieces[i].nbytes) = (uint32_t)i;
    return FPX_OK;
}

static fpx_status count_pieces(learner *l, size_t count)
{
    for (size_t at = 0; at < count;) {
        const size_t n = tokenizer_piece(l->text + at, count - at);

        if (grow_table(l) != FPX_OK ||
            grow((void **)&l->pieces, l->npieces, &l->pieces_room, sizeof *l->pieces) != FPX_OK)
            return FPX_ENOMEM;
        uint32_t *place = place_of(l, l->text + at, n);

        if (*place == PAIR_NONE) {
            *place = (uint32_t)l->npieces;
            l->pieces[l->npieces++] = (piece){ .bytes = (uint32_t)at, .nbytes = (uint32_t)n };
        }
        l->pieces[*place].count++;
        at += n;
    }
    return FPX_OK;
}

/* ---- the heap: most frequent first, then the lower key, which is left then right ---- */
static int before(const entry *a, const entry *b)
{
    return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static fpx_status push(learner *l, uint32_t index)
{
    const entry e = { l->pairs[index].count, l->pairs[index].key, index };
    size_t at = l->nheap;

    if (e.count < 2)
        return FPX_OK; /* never merged */
    if (grow((void **)&l->heap, l->nheap, &l->heap_room, sizeof *l->heap) != FPX_OK)
        return FPX_ENOMEM;
    l->nheap++;
    for (; at > 0 && before(&e, &l->heap[(at - 1) / 2]); at = (at - 1) / 2)
        l->heap[at] = l->heap[(at - 1) / 2];
    l->heap[at] = e;
    return FPX_OK;
}

static entry pop(learner *l)
{
    const entry top = l->heap[0], last = l->heap[--l->nheap];
    size_t at = 0;

    for (size_t child = 1; child < l->nheap; child = 2 * at + 1) {
        child += child + 1 < l->nheap && before(&l->heap[child + 1], &l->heap[child]);
        if (!before(&l->heap[child], &last))
            break;
        l->heap[at] = l->heap[child];
        at = child;
    }
    l->heap[at] = last;
    return top;
}

/* ---- pairs ---- */
/* open: the first pair whose list of pieces is being made; those before it list this piece already. */
static fpx_status add_to_pair(learner *l, uint32_t key, uint32_t in, size_t open)
{
    uint32_t index = pair_map_find(&l->map, key);

    if (index == PAIR_NONE) {
        index = (uint32_t)l->npairs;
        if (grow((void **)&l->pairs, l->npairs, &l->pairs_room, sizeof *l->pairs) != FPX_OK ||
            pair_map_add(&l->map, key, index) != FPX_OK)
            return FPX_ENOMEM;
        l->pairs[l->npairs++] = (pair){ .key = key };
    }
    pair *p = &l->pairs[index];

    p->count += l->pieces[in].count;
    if (index < open || (p->n > 0 && p->pieces[p->n - 1] == in))
        return FPX_OK;
    size_t room = p->room;

    if (p->n == room) {
        room = room == 0 ? 2 : 2 * room;
        uint32_t *larger = realloc(p->pieces, room * sizeof *larger);

        if (larger == NULL)
            return FPX_ENOMEM;
        p->pieces = larger;
        p->room = (uint32_t)room;
    }
    p->pieces[p->n++] = in;
    return FPX_OK;
}

static fpx_status add_pairs(learner *l, uint32_t in, size_t open)
{
    const piece *p = &l->pieces[in];
    const uint16_t *tokens = l->tokens + p->at;

    for (size_t i = 0; i + 1 < p->length; i++)
        if (add_to_pair(l, pair_key(tokens[i], tokens[i + 1]), in, open) != FPX_OK)
            return FPX_ENOMEM;
    return FPX_OK;
}

static void take_pairs(learner *l, uint32_t in)
{
    const piece *p = &l->pieces[in];
    const uint16_t *tokens = l->tokens + p->at;

    for (size_t i = 0; i + 1 < p->length; i++)
        l->pairs[pair_map_find(&l->map, pair_key(tokens[i], tokens[i + 1]))].count -= p->count;
}

static fpx_status first_pairs(learner *l)
{
    size_t total = 0;

    for (size_t i = 0; i < l->npieces; i++)
        total += l->pieces[i].nbytes;
    l->tokens = malloc((total + 1) * sizeof *l->tokens);
    if (l->tokens == NULL || pair_map_make(&l->map) != FPX_OK)
        return FPX_ENOMEM;
    total = 0;
    for (size_t i = 0; i < l->npieces; i++) {
        piece *p = &l->pieces[i];

        p->at = (uint32_t)total;
        p->length = p->nbytes;
        for (size_t k = 0; k < p->nbytes; k++)
            l->tokens[total++] = l->text[p->bytes + k];
        if (add_pairs(l, (uint32_t)i, 0) != FPX_OK)
            return FPX_ENOMEM;
    }
    for (size_t i = 0; i < l->npairs; i++)
        if (push(l, (uint32_t)i) != FPX_OK)
            return FPX_ENOMEM;
    return FPX_OK;
}

static int holds(const learner *l, const piece *p, token_pair of)
{
    const uint16_t *tokens = l->tokens + p->at;

    for (size_t i = 0; i + 1 < p->length; i++)
        if (tokens[i] == of.left && tokens[i + 1] == of.right)
            return 1;
    return 0;
}

/* Only pairs with the new token come to be; all others become less frequent, if anything. A piece of the list
 * may have lost the pair to an earlier merge. */
static fpx_status merge(learner *l, uint32_t index, uint16_t merged)
{
    const uint32_t key = l->pairs[index].key;
    const token_pair parts = { (uint16_t)(key >> 16), (uint16_t)key };
    const size_t n = l->pairs[index].n, old = l->npairs;

    for (size_t i = 0; i < n; i++) {
        const uint32_t in = l->pairs[index].pieces[i];
        piece *p = &l->pieces[in];

        if (!holds(l, p, parts))
            continue;
        take_pairs(l, in);
        p->length = (uint32_t)tokenizer_merge(l->tokens + p->at, p->length, parts, merged);
        if (add_pairs(l, in, old) != FPX_OK)
            return FPX_ENOMEM;
    }
    for (size_t i = old; i < l->npairs; i++)
        if (push(l, (uint32_t)i) != FPX_OK)
            return FPX_ENOMEM;
    free(l->pairs[index].pieces); /* the pair is gone for good */
    l->pairs[index].pieces = NULL;
    l->pairs[index].n = l->pairs[index].room = 0;
    return FPX_OK;
}

static fpx_status learn(learner *l, size_t count, size_t max, token_pair *merges, size_t *ret_n)
{
    size_t n = 0;

    if (count_pieces(l, count) != FPX_OK || first_pairs(l) != FPX_OK)
        return FPX_ENOMEM;
    while (n < max && l->nheap > 0) {
        const entry top = pop(l);

        if (top.count != l->pairs[top.pair].count) {
            if (push(l, top.pair) != FPX_OK)
                return FPX_ENOMEM;
            continue;
        }
        merges[n] = (token_pair){ (uint16_t)(top.key >> 16), (uint16_t)top.key };
        if (merge(l, top.pair, (uint16_t)(BYTE_TOKENS + n)) != FPX_OK)
            return FPX_ENOMEM;
        n++;
    }
    *ret_n = n;
    return FPX_OK;
}

static void release(learner *l)
{
    for (size_t i = 0; i < l->npairs; i++)
        free(l->pairs[i].pieces);
    free(l->pieces);
    free(l->table);
    free(l->tokens);
    free(l->pairs);
    free(l->heap);
    pair_map_free(&l->map);
}

fpx_status fpx_tokenizer_train(const void *text, size_t count, uint32_t vocabulary,
                               fpx_tokenizer **ret_tokenizer, fpx_error *err)
{
    learner l = { .text = text };
    size_t n = 0;
    fpx_status status = FPX_ENOMEM;

    if (vocabulary < FPX_TOKENIZER_MIN || vocabulary > FPX_TOKENIZER_MAX)
        return fpx_error_set(err, FPX_EINVAL, "a vocabulary of %lu tokens; possible are %d .. %d",
                             (unsigned long)vocabulary, FPX_TOKENIZER_MIN, FPX_TOKENIZER_MAX);
    token_pair *merges = calloc(vocabulary - BYTE_TOKENS, sizeof *merges);

    if (merges != NULL && count < PAIR_NONE) /* places in the text are 32 bits wide */
        status = learn(&l, count, vocabulary - BYTE_TOKENS, merges, &n);
    release(&l);
    if (status != FPX_OK)
        (void)fpx_error_set(err, status, "tokenizer: out of memory for a text of %zu bytes", count);
    else if (n == 0)
        status =
            fpx_error_set(err, FPX_EINVAL,
                          "in a text of %zu bytes no pair occurs twice: nothing to learn", count);
    else
        status = tokenizer_make(merges, n, ret_tokenizer, err);
    free(merges);
    return status;
}
