// Windows of arrays whose place is known only when the step runs: dynamic slices and updates.
#include "internal.h"

/// Where member `member`'s window begins, in elements from the array's first.
static int64_t window_start(const spk_dynamic_window *window, void *const *slots, int64_t member) {
    int64_t offset = 0;
    for (int k = 0; k < window->axes; k++) {
        const int32_t *starts = (const int32_t *)slots[window->starts[k]] + window->start_offsets[k];
        int64_t start = starts[member * window->start_strides[k]];
        if (start < 0) { start += window->sizes[k]; }
        start = SPK_MAX(SPK_MIN(start, window->limits[k]), (int64_t)0);
        offset += start * window->moved_strides[k];
    }
    return offset;
}

void spk_run_dynamic_window(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_dynamic_window *window = arguments;
    const spk_operand *src = &window->whole.src, *dst = &window->whole.dst;
    if (window->whole.rank > 0
        && spk_address(slots, src->slot, src->offset, src->dtype) != spk_address(slots, dst->slot, dst->offset, dst->dtype)) {
        spk_run_copy(&window->whole, slots, pool);
    }
    for (int64_t member = 0; member < window->members; member++) {
        spk_copy copy = window->window;
        copy.src.offset += member * window->src_member_stride;
        copy.dst.offset += member * window->dst_member_stride;
        spk_operand *moved = window->moves_target ? &copy.dst : &copy.src;
        moved->offset += window_start(window, slots, member);
        spk_run_copy(&copy, slots, pool);
    }
}
