// Fills memory with one element.
#include "internal.h"

enum { FILL_TILE_BYTES = 256 << 10 };

typedef struct {
    char *start;
    int64_t bytes;
    uint64_t pattern; // eight bytes of the repeated element
} fill_run;

static void run_fill_tile(void *context, int64_t tile) {
    const fill_run *run = context;
    char *start = run->start + tile * FILL_TILE_BYTES;
    int64_t bytes = SPK_MIN(run->bytes - tile * FILL_TILE_BYTES, (int64_t)FILL_TILE_BYTES);
    if (run->pattern == 0) {
        memset(start, 0, (size_t)bytes);
        return;
    }
    int64_t i = 0;
    for (; i + 8 <= bytes; i += 8) { __builtin_memcpy(start + i, &run->pattern, 8); }
    memcpy(start + i, &run->pattern, (size_t)(bytes - i));
}

void spk_run_fill(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_fill *fill = arguments;
    int size = spk_element_size[fill->dtype];
    uint64_t pattern = fill->bits;
    switch (size) {
    case 1: pattern = (pattern & 0xFF) * 0x0101010101010101u; break;
    case 2: pattern = (pattern & 0xFFFF) * 0x0001000100010001u; break;
    case 4: pattern = (pattern & 0xFFFFFFFF) * 0x0000000100000001u; break;
    default: break;
    }
    fill_run run = {
        .start = spk_address(slots, fill->slot, fill->offset, fill->dtype),
        .bytes = fill->count * size,
        .pattern = pattern,
    };
    spk_pool_run(pool, spk_ceil_div(run.bytes, FILL_TILE_BYTES), run_fill_tile, &run);
}
