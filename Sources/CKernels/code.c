// Runs a fused group's machine code over its whole iteration space: tiles of rows, or of columns.
#include "internal.h"

enum {
    CODE_PARALLEL_WORK = 60000, // elements times weight from which on threads help
    CODE_TILE_WORK = CODE_PARALLEL_WORK / 2,
    CODE_MOST_TILES = 64,
    CODE_LEAST_ELEMENTS = 64, // of a tile, however much work each is
};

typedef struct {
    const spk_fused *plan;
    char *const *bases;
    int64_t rows, columns;          // of the whole space; rows runs through all dimensions but the last
    int64_t inner_rows;             // of the last dimension but one
    int64_t tile_rows, tile_columns, column_tiles;
} code_run;

static void run_code_tile(void *context, int64_t tile) {
    const code_run *run = context;
    const spk_fused *plan = run->plan;
    int rank = plan->rank;
    int64_t column = tile % run->column_tiles * run->tile_columns, row = tile / run->column_tiles * run->tile_rows;
    int64_t end = SPK_MIN(row + run->tile_rows, run->rows);
    SPK_CODE_FRAME(frame, plan->operand_count);
    while (row < end) {
        // Up to where an outer dimension steps on.
        int64_t first = row % run->inner_rows, rows = SPK_MIN(run->inner_rows - first, end - row);
        frame->rows = rows;
        frame->columns = SPK_MIN(run->tile_columns, run->columns - column);
        for (int o = 0; o < plan->operand_count; o++) {
            const spk_operand *operand = &plan->operands[o];
            int64_t size = spk_element_size[operand->dtype];
            int64_t offset = column * operand->strides[rank - 1];
            if (rank > 1) { offset += first * operand->strides[rank - 2]; }
            int64_t outer = row / run->inner_rows;
            for (int d = rank - 3; d >= 0; d--) {
                offset += outer % plan->dims[d] * operand->strides[d];
                outer /= plan->dims[d];
            }
            frame->operands[o].base = run->bases[o] + offset * size;
            frame->operands[o].row_bytes = rank > 1 ? operand->strides[rank - 2] * size : 0;
        }
        plan->code(frame);
        row += rows;
    }
}

void spk_run_code(const spk_fused *plan, void *const *slots, spk_pool *pool) {
    char *bases[SPK_MAX(plan->operand_count, 1)];
    for (int o = 0; o < plan->operand_count; o++) {
        const spk_operand *operand = &plan->operands[o];
        bases[o] = spk_address(slots, operand->slot, operand->offset, operand->dtype);
    }
    code_run run = {
        .plan = plan,
        .bases = bases,
        .rows = 1,
        .columns = plan->dims[plan->rank - 1],
        .inner_rows = plan->rank > 1 ? plan->dims[plan->rank - 2] : 1,
        .column_tiles = 1,
    };
    for (int d = 0; d < plan->rank - 1; d++) { run.rows *= plan->dims[d]; }
    int64_t count = run.rows * run.columns;
    if (count == 0) { return; }
    run.tile_rows = run.rows;
    run.tile_columns = run.columns;
    bool parallel = pool != NULL && count * plan->weight >= CODE_PARALLEL_WORK;
    if (parallel) {
        // Tiles of equal work, by shape alone.
        int64_t elements = SPK_MAX(CODE_TILE_WORK / SPK_MAX(plan->weight, (int64_t)1), count / CODE_MOST_TILES);
        elements = SPK_MAX(elements, (int64_t)CODE_LEAST_ELEMENTS);
        if (run.columns > elements) {
            run.tile_columns = spk_ceil_div(elements, 16) * 16;
            run.column_tiles = spk_ceil_div(run.columns, run.tile_columns);
            run.tile_rows = 1;
        } else {
            run.tile_rows = spk_ceil_div(elements, run.columns);
        }
    }
    spk_pool_run(
        parallel ? pool : NULL, run.column_tiles * spk_ceil_div(run.rows, run.tile_rows), run_code_tile, &run);
}
