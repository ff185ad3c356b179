// Control flow inside a plan: steps that run other steps. Everything is addressed through the same table of slots;
// these steps move windows along it and exchange the places of a loop's values. A run owns its table, so that they may.
#include "internal.h"

static void exchange(const spk_carry *carries, int32_t count, void **table) {
    for (int32_t c = 0; c < count; c++) {
        void *previous = table[carries[c].current];
        table[carries[c].current] = table[carries[c].next];
        table[carries[c].next] = previous;
    }
}

void spk_run_scan(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_scan *scan = arguments;
    void **table = (void **)slots;
    for (int64_t i = 0; i < scan->length; i++) {
        int64_t position = scan->reverse ? scan->length - 1 - i : i;
        for (int32_t w = 0; w < scan->window_count; w++) {
            const spk_loop_slice *window = &scan->windows[w];
            table[window->slot] = (char *)table[window->source] + position * window->stride_bytes;
        }
        spk_run_plan(scan->body, scan->body_count, slots, pool);
        exchange(scan->carries, scan->carry_count, table);
    }
}

void spk_run_while(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_while *loop = arguments;
    while (true) {
        spk_run_plan(loop->condition, loop->condition_count, slots, pool);
        if (!*(const uint8_t *)slots[loop->condition_slot]) { return; }
        spk_run_plan(loop->body, loop->body_count, slots, pool);
        exchange(loop->carries, loop->carry_count, (void **)slots);
    }
}

void spk_run_switch(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_switch *choice = arguments;
    int32_t index = *((const int32_t *)slots[choice->index_slot] + choice->index_offset);
    index = index < 0 ? 0 : index >= choice->branch_count ? choice->branch_count - 1 : index;
    spk_run_plan(choice->branches[index].steps, choice->branches[index].count, slots, pool);
}
