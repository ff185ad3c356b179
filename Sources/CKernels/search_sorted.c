// Binary searches in sorted rows.
#include "sort_keys.h"

enum { SEARCH_TILE_QUERIES = 4096 };

typedef struct {
    const spk_search_sorted *search;
    const char *sorted, *values;
    int32_t *dst;
    int64_t blocks; // of a row's queries
} search_run;

static void run_search_tile(void *context, int64_t tile) {
    const search_run *run = context;
    const spk_search_sorted *search = run->search;
    int32_t dtype = search->dtype;
    int64_t row = tile / run->blocks, first = tile % run->blocks * SEARCH_TILE_QUERIES;
    int64_t last = SPK_MIN(first + SEARCH_TILE_QUERIES, search->queries);
    const char *sorted = run->sorted + row * search->count * spk_element_size[dtype];
    const char *values = run->values + row * search->queries * spk_element_size[dtype];
    int32_t *dst = run->dst + row * search->queries;
    for (int64_t i = first; i < last; i++) {
        uint64_t key = key_at(values, dtype, i);
        int64_t low = 0, high = search->count;
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            uint64_t other = key_at(sorted, dtype, middle);
            if (search->right ? other <= key : other < key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        dst[i] = (int32_t)low;
    }
}

void spk_run_search_sorted(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_search_sorted *search = arguments;
    search_run run = {
        .search = search,
        .sorted = spk_address(slots, search->sorted, search->sorted_offset, search->dtype),
        .values = spk_address(slots, search->values, search->values_offset, search->dtype),
        .dst = (int32_t *)slots[search->dst] + search->dst_offset,
        .blocks = spk_ceil_div(search->queries, SEARCH_TILE_QUERIES),
    };
    int64_t tiles = search->outer * run.blocks;
    spk_pool_run(tiles > 1 ? pool : NULL, tiles, run_search_tile, &run);
}
