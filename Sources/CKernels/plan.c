// Runs a plan's steps in order.
#include "internal.h"

void spk_run_plan(const spk_step *steps, int64_t count, void *const *slots, spk_pool *pool) {
    for (int64_t i = 0; i < count; i++) { steps[i].run(steps[i].arguments, slots, pool); }
}
