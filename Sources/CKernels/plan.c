// Runs a plan's steps in order, and the steps that run others. Everything is addressed through the same table of slots; control
// flow moves windows along it and exchanges the places of a loop's values. A run owns its table, so that it may.
#include "internal.h"

#include <time.h>

/// Where the times of `count` steps and of those inside them go, or NULL.
static void run_steps(const spk_step *steps, int64_t count, void *const *slots, spk_pool *pool, spk_step_time *times);

/// The steps in a list, with those inside them.
static int64_t nested_count(const spk_step *steps, int64_t count) {
    int64_t result = count;
    for (int64_t i = 0; i < count; i++) {
        if (steps[i].run == spk_run_scan) {
            const spk_scan *scan = steps[i].arguments;
            result += nested_count(scan->body, scan->body_count);
        } else if (steps[i].run == spk_run_while) {
            const spk_while *loop = steps[i].arguments;
            result += nested_count(loop->condition, loop->condition_count) + nested_count(loop->body, loop->body_count);
        } else if (steps[i].run == spk_run_switch) {
            const spk_switch *choice = steps[i].arguments;
            for (int32_t b = 0; b < choice->branch_count; b++) {
                result += nested_count(choice->branches[b].steps, choice->branches[b].count);
            }
        }
    }
    return result;
}

// MARK: Control flow

static void exchange(const spk_carry *carries, int32_t count, void **table) {
    for (int32_t c = 0; c < count; c++) {
        void *previous = table[carries[c].current];
        table[carries[c].current] = table[carries[c].next];
        table[carries[c].next] = previous;
    }
}

static void run_scan(const spk_scan *scan, void *const *slots, spk_pool *pool, spk_step_time *times) {
    void **table = (void **)slots;
    for (int64_t i = 0; i < scan->length; i++) {
        int64_t position = scan->reverse ? scan->length - 1 - i : i;
        for (int32_t w = 0; w < scan->window_count; w++) {
            const spk_loop_slice *window = &scan->windows[w];
            table[window->slot] = (char *)table[window->source] + position * window->stride_bytes;
        }
        run_steps(scan->body, scan->body_count, slots, pool, times);
        exchange(scan->carries, scan->carry_count, table);
    }
}

static void run_while(const spk_while *loop, void *const *slots, spk_pool *pool, spk_step_time *times) {
    spk_step_time *body_times =
        times == NULL ? NULL : times + nested_count(loop->condition, loop->condition_count);
    while (true) {
        run_steps(loop->condition, loop->condition_count, slots, pool, times);
        if (!*(const uint8_t *)slots[loop->condition_slot]) { return; }
        run_steps(loop->body, loop->body_count, slots, pool, body_times);
        exchange(loop->carries, loop->carry_count, (void **)slots);
    }
}

static void run_switch(const spk_switch *choice, void *const *slots, spk_pool *pool, spk_step_time *times) {
    int32_t index = *((const int32_t *)slots[choice->index_slot] + choice->index_offset);
    index = index < 0 ? 0 : index >= choice->branch_count ? choice->branch_count - 1 : index;
    for (int32_t b = 0; b < index && times != NULL; b++) {
        times += nested_count(choice->branches[b].steps, choice->branches[b].count);
    }
    run_steps(choice->branches[index].steps, choice->branches[index].count, slots, pool, times);
}

void spk_run_scan(const void *arguments, void *const *slots, spk_pool *pool) { run_scan(arguments, slots, pool, NULL); }

void spk_run_while(const void *arguments, void *const *slots, spk_pool *pool) {
    run_while(arguments, slots, pool, NULL);
}

void spk_run_switch(const void *arguments, void *const *slots, spk_pool *pool) {
    run_switch(arguments, slots, pool, NULL);
}

// MARK: Plans

static double now_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void run_steps(const spk_step *steps, int64_t count, void *const *slots, spk_pool *pool, spk_step_time *times) {
    if (times == NULL) {
        for (int64_t i = 0; i < count; i++) { steps[i].run(steps[i].arguments, slots, pool); }
        return;
    }
    double before = now_seconds();
    for (int64_t i = 0; i < count; i++) {
        spk_step_time *own = times++;
        if (steps[i].run == spk_run_scan) {
            run_scan(steps[i].arguments, slots, pool, times);
        } else if (steps[i].run == spk_run_while) {
            run_while(steps[i].arguments, slots, pool, times);
        } else if (steps[i].run == spk_run_switch) {
            run_switch(steps[i].arguments, slots, pool, times);
        } else {
            steps[i].run(steps[i].arguments, slots, pool);
        }
        double after = now_seconds();
        own->seconds += after - before;
        own->runs += 1;
        before = after;
        times += nested_count(steps + i, 1) - 1;
    }
}

void spk_run_plan(const spk_step *steps, int64_t count, void *const *slots, spk_pool *pool) {
    run_steps(steps, count, slots, pool, NULL);
}

void spk_profile_plan(
    const spk_step *steps, int64_t count, void *const *slots, spk_pool *pool, spk_step_time *times) {
    run_steps(steps, count, slots, pool, times);
}

int spk_operation_weight(int op) {
    if (op >= SPK_OP_CBRT && op <= SPK_OP_DIGAMMA) { return op <= SPK_OP_LOG1P || op == SPK_OP_TANH ? 8 : 30; }
    switch (op) {
    case SPK_OP_POW: return 40;
    case SPK_OP_REM: return 20;
    case SPK_OP_THREEFRY: return 20;
    case SPK_OP_DIV:
    case SPK_OP_SQRT:
    case SPK_OP_RSQRT: return 3;
    default: return 1;
    }
}
