// Which instruction set's kernels run: found from the processor once, lowered on request.
#include "internal.h"

#include <stdatomic.h>

static _Atomic(const spk_table *) current_table;

static const spk_table *best_table(spk_level highest) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (highest >= SPK_LEVEL_AVX512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma")) {
        return &spk_table_avx512;
    }
    if (highest >= SPK_LEVEL_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return &spk_table_avx2;
    }
#endif
    (void)highest;
    return &spk_table_portable;
}

static inline const spk_table *table(void) {
    const spk_table *found = atomic_load_explicit(&current_table, memory_order_relaxed);
    if (__builtin_expect(found == NULL, 0)) {
        found = best_table(SPK_LEVEL_AVX512);
        atomic_store_explicit(&current_table, found, memory_order_relaxed);
    }
    return found;
}

spk_level spk_get_level(void) { return table()->level; }

spk_level spk_set_level(spk_level level) {
    const spk_table *found = best_table(level);
    if (found->level == level) { atomic_store_explicit(&current_table, found, memory_order_relaxed); }
    return table()->level;
}

void spk_run_fused(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_fused *plan = arguments;
    if (plan->code != NULL && table()->level == SPK_LEVEL_AVX512) {
        spk_run_code(plan, slots, pool);
    } else {
        table()->fused(arguments, slots, pool);
    }
}
void spk_run_gemm(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->gemm(arguments, slots, pool);
}
void spk_run_matmul_plain(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->matmul_plain(arguments, slots, pool);
}
void spk_run_conv(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->conv(arguments, slots, pool);
}
void spk_run_window(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->window(arguments, slots, pool);
}
void spk_run_window_gather(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->window_gather(arguments, slots, pool);
}
void spk_run_window_scatter(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->window_scatter(arguments, slots, pool);
}
void spk_run_reduce(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->reduce(arguments, slots, pool);
}
void spk_run_cumulative(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->cumulative(arguments, slots, pool);
}
void spk_run_copy(const void *arguments, void *const *slots, spk_pool *pool) {
    table()->copy(arguments, slots, pool);
}
