// The block interpreter: runs a fused elementwise program over blocks of consecutive elements that stay in the first
// cache. Values that are the same for a whole block (constants, scalars, and what is computed from them) are held as
// *splats* of sixteen elements, those that repeat with a period of a power of two (a row of channels) as one period: element i
// of a block is found at i & mask. Dense operands are read, and results written, in place.
// Included once per instruction set, after elementwise.inc.h.

enum {
    BLOCK = SPK_BLOCK,
    MAX_REGISTERS = SPK_MAX_REGISTERS,
    FUSED_TILE = 32 * BLOCK,        // elements per tile, if threads help
    FUSED_PARALLEL_WORK = 400000,   // elements times weighted operations from which on they do
};

/// How an operand's elements lie relative to the iteration space.
enum { ACCESS_SCALAR, ACCESS_DENSE, ACCESS_PERIODIC /* the innermost dimension over and over */, ACCESS_STRIDED };

typedef struct {
    char *base;
    uint8_t dtype, lane, size, access;
    bool is_stored, is_overwritten; // by this operand; by any
    bool copies;                    // is overwritten while its loaded value is still needed
    bool is_apart;                  // stored, and its memory is not what another operand loads
    int64_t strides[SPK_MAX_RANK];
} fused_operand;

typedef struct {
    const spk_fused *plan;
    fused_operand *operands;
    int rank;
    int64_t dims[SPK_MAX_RANK];
    int64_t count, tile;
    size_t register_bytes;
} fused_run;

// MARK: Loading and storing

/// Into a block of a register, which has room for a vector behind it.
static void copy_segment(char *dst, const char *src, int64_t stride, int64_t count, int size) {
    if (stride == 0 && size == 4) {
        // Whole vectors: what is written too far is written again by the next segment, or is room behind the block.
        uint32_t value;
        memcpy(&value, src, 4);
        for (int64_t i = 0; i < count; i += 16) { STORE16(u32x16, (uint32_t *)dst, i, (u32x16)(value)); }
        return;
    }
    if (stride == 1) {
        // Short segments are common (a bias of 10); a call of memcpy would cost more than the copy.
        if (size == 4 && count <= 64) {
            for (int64_t i = 0; i < count; i++) { ((uint32_t *)dst)[i] = ((const uint32_t *)src)[i]; }
        } else {
            memcpy(dst, src, (size_t)(count * size));
        }
        return;
    }
#define SEGMENT(T)                                                                                                     \
    {                                                                                                                  \
        T *d = (T *)dst;                                                                                               \
        const T *s = (const T *)src;                                                                                   \
        if (stride == 0) {                                                                                             \
            T value = *s;                                                                                              \
            for (int64_t i = 0; i < count; i++) { d[i] = value; }                                                      \
        } else {                                                                                                       \
            for (int64_t i = 0; i < count; i++) { d[i] = s[i * stride]; }                                              \
        }                                                                                                              \
    }
    switch (size) {
    case 1: SEGMENT(uint8_t) break;
    case 2: SEGMENT(uint16_t) break;
    case 4: SEGMENT(uint32_t) break;
    default: SEGMENT(uint64_t) break;
    }
#undef SEGMENT
}

static void store_segment(char *dst, const char *src, int64_t stride, int64_t count, int size) {
#define SEGMENT(T)                                                                                                     \
    for (int64_t i = 0; i < count; i++) { ((T *)dst)[i * stride] = ((const T *)src)[i]; }
    if (stride == 1) {
        memcpy(dst, src, (size_t)(count * size));
        return;
    }
    switch (size) {
    case 1: SEGMENT(uint8_t) break;
    case 2: SEGMENT(uint16_t) break;
    case 4: SEGMENT(uint32_t) break;
    default: SEGMENT(uint64_t) break;
    }
#undef SEGMENT
}

/// Copies `count` elements of a strided operand from `start` on to dense `dense`, or back.
static void walk_strided(
    const fused_run *run, const fused_operand *operand, char *dense, int64_t start, int64_t count, bool storing) {
    int inner = run->rank - 1;
    int64_t index[SPK_MAX_RANK], rest = start, offset = 0;
    for (int d = inner; d >= 0; d--) {
        index[d] = rest % run->dims[d];
        rest /= run->dims[d];
        offset += index[d] * operand->strides[d];
    }
    int64_t stride = operand->strides[inner], size = operand->size;
    while (true) {
        int64_t segment = SPK_MIN(run->dims[inner] - index[inner], count);
        char *place = operand->base + offset * size;
        if (storing) {
            store_segment(place, dense, stride, segment, (int)size);
        } else {
            copy_segment(dense, place, stride, segment, (int)size);
        }
        count -= segment;
        if (count == 0) { return; }
        dense += segment * size;
        offset -= index[inner] * stride;
        index[inner] = 0;
        for (int d = inner - 1; d >= 0; d--) {
            index[d] += 1;
            offset += operand->strides[d];
            if (index[d] < run->dims[d]) { break; }
            offset -= index[d] * operand->strides[d];
            index[d] = 0;
        }
    }
}

/// The innermost dimension over and over: one period is gathered, the rest copied from what is there already.
static void load_periodic(
    const fused_run *run, const fused_operand *operand, char *dense, int64_t start, int64_t count) {
    int inner = run->rank - 1;
    int64_t period = run->dims[inner], phase = start % period, stride = operand->strides[inner], size = operand->size;
    int64_t first = SPK_MIN(period - phase, count);
    copy_segment(dense, operand->base + phase * stride * size, stride, first, (int)size);
    if (first == count) { return; }
    int64_t second = SPK_MIN(phase, count - first);
    copy_segment(dense + first * size, operand->base, stride, second, (int)size);
    for (int64_t have = first + second; have < count;) {
        int64_t more = SPK_MIN(have, count - have);
        memcpy(dense + have * size, dense, (size_t)(more * size));
        have += more;
    }
}

#define CONVERT_LOOP(TD, TS, EXPRESSION)                                                                               \
    for (int64_t i = 0; i < count; i++) {                                                                              \
        TS v = ((const TS *)src)[i];                                                                                   \
        ((TD *)dst)[i] = (EXPRESSION);                                                                                 \
    }                                                                                                                  \
    break;

/// From storage to a register. `src` and `dst` do not overlap.
static void widen(void *restrict dst, const void *restrict src, int64_t count, int dtype) {
    switch (dtype) {
    case SPK_BOOL: CONVERT_LOOP(int32_t, uint8_t, v != 0)
    case SPK_INT8: CONVERT_LOOP(int32_t, int8_t, v)
    case SPK_INT16: CONVERT_LOOP(int32_t, int16_t, v)
    case SPK_UINT8: CONVERT_LOOP(uint32_t, uint8_t, v)
    case SPK_UINT16: CONVERT_LOOP(uint32_t, uint16_t, v)
    case SPK_FLOAT16: CONVERT_LOOP(float, uint16_t, spk_half_to_float(v))
    case SPK_BFLOAT16: CONVERT_LOOP(float, uint16_t, spk_bfloat_to_float(v))
    default: memcpy(dst, src, (size_t)count * spk_element_size[dtype]);
    }
}

static void narrow(void *restrict dst, const void *restrict src, int64_t count, int dtype) {
    switch (dtype) {
    case SPK_BOOL: CONVERT_LOOP(uint8_t, uint32_t, v != 0)
    case SPK_INT8:
    case SPK_UINT8: CONVERT_LOOP(uint8_t, uint32_t, (uint8_t)v)
    case SPK_INT16:
    case SPK_UINT16: CONVERT_LOOP(uint16_t, uint32_t, (uint16_t)v)
    case SPK_FLOAT16: CONVERT_LOOP(uint16_t, float, spk_float_to_half(v))
    case SPK_BFLOAT16: CONVERT_LOOP(uint16_t, float, spk_float_to_bfloat(v))
    default: memcpy(dst, src, (size_t)count * spk_element_size[dtype]);
    }
}

SPK_INLINE int lane_size(int lane) {
    return lane == SPK_LANE_F64 || lane == SPK_LANE_I64 || lane == SPK_LANE_U64 ? 8 : 4;
}

static void load_block(
    const fused_run *run, const fused_operand *operand, char *dst, char *raw, int64_t start, int64_t count) {
    bool as_stored = operand->size == lane_size(operand->lane);
    const char *source;
    if (operand->access == ACCESS_DENSE) {
        source = operand->base + start * operand->size;
    } else {
        char *dense = as_stored ? dst : raw;
        if (operand->access == ACCESS_PERIODIC) {
            load_periodic(run, operand, dense, start, count);
        } else {
            walk_strided(run, operand, dense, start, count, false);
        }
        if (as_stored) { return; }
        source = dense;
    }
    widen(dst, source, count, operand->dtype);
}

static void load_splat(const fused_operand *operand, char *dst) {
    if (lane_size(operand->lane) == 4) {
        uint32_t value;
        widen(&value, operand->base, 1, operand->dtype);
        STORE16(u32x16, (uint32_t *)dst, 0, (u32x16)(value));
    } else {
        uint64_t value;
        memcpy(&value, operand->base, 8);
        STORE16(u64x16, (uint64_t *)dst, 0, (u64x16)(value));
    }
}

/// A value that repeats, as often as it does in a block.
static void spread(char *dst, const char *value, int64_t mask, int64_t count, int size) {
    if (size == 4) {
        for (int64_t i = 0; i < count; i += 16) {
            STORE16(u32x16, (uint32_t *)dst, i, LOAD16(u32x16, (const uint32_t *)value, i & mask));
        }
    } else {
        for (int64_t i = 0; i < count; i += 16) {
            STORE16(u64x16, (uint64_t *)dst, i, LOAD16(u64x16, (const uint64_t *)value, i & mask));
        }
    }
}

static void store_block(
    const fused_run *run, const fused_operand *operand, const char *src, char *raw, int64_t mask, int64_t start,
    int64_t count) {
    int size = lane_size(operand->lane);
    if (mask != -1) {
        spread(raw, src, mask, count, size);
        src = raw;
    }
    char *place = operand->base + start * operand->size;
    if (operand->access == ACCESS_DENSE || (operand->access == ACCESS_SCALAR && count == 1)) {
        if (src != place) { narrow(place, src, count, operand->dtype); }
    } else if (size == operand->size) {
        walk_strided(run, operand, (char *)src, start, count, true);
    } else {
        _Alignas(64) char dense[BLOCK * 2 + 64];
        narrow(dense, src, count, operand->dtype);
        walk_strided(run, operand, dense, start, count, true);
    }
}

static void fill_constant(char *dst, const spk_instruction *instruction) {
    switch (instruction->lane) {
    case SPK_LANE_F32: STORE16(f32x16, (float *)dst, 0, (f32x16)((float)instruction->imm_f)); break;
    case SPK_LANE_F64: STORE16(f64x16, (double *)dst, 0, (f64x16)(instruction->imm_f)); break;
    case SPK_LANE_I32:
    case SPK_LANE_U32: STORE16(i32x16, (int32_t *)dst, 0, (i32x16)((int32_t)instruction->imm_i)); break;
    default: STORE16(i64x16, (int64_t *)dst, 0, (i64x16)(instruction->imm_i)); break;
    }
}

/// The index along one dimension, of `count` elements from `start` on.
static void fill_index(
    const fused_run *run, char *dst, const spk_instruction *instruction, int64_t start, int64_t count) {
    int64_t repeat = 1, size = run->dims[instruction->imm_i];
    for (int d = run->rank - 1; d > instruction->imm_i; d--) { repeat *= run->dims[d]; }
    int64_t value = start / repeat % size, left = repeat - start % repeat;
#define INDEX_LOOP(T)                                                                                                  \
    for (int64_t i = 0; i < count;) {                                                                                  \
        if (repeat == 1) {                                                                                             \
            int64_t run_length = SPK_MIN(size - value, count - i);                                                     \
            for (int64_t j = 0; j < run_length; j++) { ((T *)dst)[i + j] = (T)(value + j); }                           \
            i += run_length;                                                                                           \
            value = 0;                                                                                                 \
        } else {                                                                                                       \
            int64_t run_length = SPK_MIN(left, count - i);                                                             \
            for (int64_t j = 0; j < run_length; j++) { ((T *)dst)[i + j] = (T)value; }                                 \
            i += run_length;                                                                                           \
            left = repeat;                                                                                             \
            value = value + 1 == size ? 0 : value + 1;                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    break;
    switch (instruction->lane) {
    case SPK_LANE_F32: INDEX_LOOP(float)
    case SPK_LANE_F64: INDEX_LOOP(double)
    case SPK_LANE_I32:
    case SPK_LANE_U32: INDEX_LOOP(uint32_t)
    default: INDEX_LOOP(uint64_t)
    }
#undef INDEX_LOOP
}

// MARK: Running blocks

/// Where a block of an operand can be read as it lies, with the mask for its elements; NULL where it must be brought together.
SPK_INLINE const char *operand_in_place(
    const fused_run *run, const fused_operand *operand, int64_t start, int64_t count, int64_t *mask) {
    if (operand->copies || operand->size != lane_size(operand->lane)) { return NULL; }
    *mask = -1;
    // Whole vectors only: nothing behind an operand may be touched.
    if (operand->access == ACCESS_DENSE) { return count % 16 == 0 ? operand->base + start * operand->size : NULL; }
    if (operand->access != ACCESS_PERIODIC || operand->strides[run->rank - 1] != 1) { return NULL; }
    int64_t period = run->dims[run->rank - 1], phase = start % period;
    if (phase == 0 && period >= 16 && (period & (period - 1)) == 0 && period < BLOCK) {
        *mask = period - 1;
        return operand->base;
    }
    return count % 16 == 0 && phase + count <= period ? operand->base + phase * operand->size : NULL;
}

static void run_block(const fused_run *run, spk_scratch *scratch, int64_t start, int64_t count) {
    const spk_fused *plan = run->plan;
    char *value[MAX_REGISTERS];     // where each register's value is: scratch, its splat or an operand's memory
    int64_t mask[MAX_REGISTERS];    // of an element's index: -1, or 0 for a splat, or a period less one
    bool in_place = count % 16 == 0; // whole vectors only: nothing behind an operand may be touched
    for (int pc = 0; pc < plan->instruction_count; pc++) {
        const spk_instruction *instruction = &plan->instructions[pc];
        int dst = instruction->dst;
        char *block = scratch->registers + (size_t)dst * run->register_bytes;
        switch (instruction->op) {
        case SPK_OP_LOAD: {
            const fused_operand *operand = &run->operands[instruction->imm_i];
            if (operand->access == ACCESS_SCALAR) {
                load_splat(operand, scratch->splats[dst]);
                value[dst] = scratch->splats[dst];
                mask[dst] = 0;
                continue;
            }
            value[dst] = (char *)operand_in_place(run, operand, start, count, &mask[dst]);
            if (value[dst] == NULL) {
                load_block(run, operand, block, scratch->raw, start, count);
                value[dst] = block;
                mask[dst] = -1;
            }
            continue;
        }
        case SPK_OP_STORE:
            store_block(
                run, &run->operands[instruction->imm_i], value[instruction->a], scratch->raw, mask[instruction->a],
                start, count);
            continue;
        case SPK_OP_CONST:
            fill_constant(scratch->splats[dst], instruction);
            value[dst] = scratch->splats[dst];
            mask[dst] = 0;
            continue;
        case SPK_OP_INDEX:
            fill_index(run, block, instruction, start, count);
            value[dst] = block;
            mask[dst] = -1;
            continue;
        default: break;
        }
        block_call call;
        call.instruction = instruction;
        int sources = source_counts[instruction->op];
        call.src[0] = value[instruction->a];
        int64_t any = call.mask[0] = mask[instruction->a];
        if (sources > 1) {
            call.src[1] = value[instruction->b];
            any |= call.mask[1] = mask[instruction->b];
        }
        if (sources > 2) {
            call.src[2] = value[instruction->c];
            any |= call.mask[2] = mask[instruction->c];
        }
        if (sources > 3) {
            call.src[3] = value[instruction->d];
            any |= call.mask[3] = mask[instruction->d];
        }
        // What repeats in all sources is computed once a period.
        call.all_splat = any == 0;
        call.count = any == -1 ? count : any < 16 ? 16 : any + 1;
        call.dst = any == 0 ? scratch->splats[dst] : block;
        if (instruction->op == SPK_OP_THREEFRY) {
            int dst2 = instruction->dst2;
            call.dst2 = any == 0 ? scratch->splats[dst2]
                                 : scratch->registers + (size_t)dst2 * run->register_bytes;
            value[dst2] = call.dst2;
            mask[dst2] = any;
        } else if (any == -1 && in_place && instruction->dst2 != 0) {
            // A later instruction stores this value as it is: compute it where it shall be, if nothing is read from there
            // any more.
            const spk_instruction *next = instruction + 1;
            const fused_operand *operand = &run->operands[instruction->dst2 - 1];
            bool is_next = pc + 1 < plan->instruction_count && next->op == SPK_OP_STORE && next->a == dst &&
                next->imm_i == instruction->dst2 - 1;
            if ((operand->is_apart || is_next) && operand->access == ACCESS_DENSE &&
                operand->size == lane_size(operand->lane)) {
                call.dst = operand->base + start * operand->size;
            }
        }
        value[dst] = call.dst;
        mask[dst] = any;
        block_function function = instruction->op == SPK_OP_CONVERT
            ? convert_functions[instruction->imm_i][instruction->lane]
            : block_functions[instruction->op][instruction->lane];
        function(&call);
    }
}

static void run_fused_tile(void *context, int64_t tile) {
    const fused_run *run = context;
    int64_t end = SPK_MIN((tile + 1) * run->tile, run->count);
    spk_scratch *scratch = spk_get_scratch();
    for (int64_t start = tile * run->tile; start < end; start += BLOCK) {
        run_block(run, scratch, start, SPK_MIN((int64_t)BLOCK, end - start));
    }
}

// MARK: Preparing

/// Whether a value that `load` reads in place from memory that the program also writes is used after it was written.
static bool is_used_after_store(const fused_run *run, int load) {
    const spk_fused *plan = run->plan;
    const char *base = run->operands[plan->instructions[load].imm_i].base;
    int reg = plan->instructions[load].dst;
    bool stored = false;
    for (int pc = load + 1; pc < plan->instruction_count; pc++) {
        const spk_instruction *instruction = &plan->instructions[pc];
        int sources = source_counts[instruction->op];
        bool reads = (sources > 0 && instruction->a == reg) || (sources > 1 && instruction->b == reg) ||
            (sources > 2 && instruction->c == reg) || (sources > 3 && instruction->d == reg);
        if (reads && stored) { return true; }
        if (instruction->op == SPK_OP_STORE) {
            stored = stored || run->operands[instruction->imm_i].base == base;
        } else if (instruction->dst == reg || (instruction->op == SPK_OP_THREEFRY && instruction->dst2 == reg)) {
            return false;
        }
    }
    return false;
}

/// Merges neighbouring dimensions that all operands run through alike, and drops those of size 1.
static void merge_dimensions(fused_run *run, int operand_count) {
    int kept = 0; // dimensions [kept, rank) would be the result if written from the back; written from the front here
    for (int d = 0; d < run->rank; d++) {
        if (run->dims[d] == 1) { continue; }
        bool merges = kept > 0;
        for (int o = 0; o < operand_count && merges; o++) {
            const int64_t *strides = run->operands[o].strides;
            merges = strides[kept - 1] == strides[d] * run->dims[d];
        }
        int into = merges ? kept - 1 : kept;
        run->dims[into] = merges ? run->dims[into] * run->dims[d] : run->dims[d];
        for (int o = 0; o < operand_count; o++) { run->operands[o].strides[into] = run->operands[o].strides[d]; }
        kept = into + 1;
    }
    run->rank = kept;
}

static void classify(const fused_run *run, fused_operand *operand) {
    bool scalar = true, dense = true, periodic = true;
    int64_t expected = 1;
    for (int d = run->rank - 1; d >= 0; d--) {
        int64_t stride = operand->strides[d];
        if (run->dims[d] == 1) { continue; }
        scalar = scalar && stride == 0;
        dense = dense && stride == expected;
        periodic = periodic && (d == run->rank - 1 || stride == 0);
        expected *= run->dims[d];
    }
    operand->access = scalar ? ACCESS_SCALAR : dense ? ACCESS_DENSE : periodic ? ACCESS_PERIODIC : ACCESS_STRIDED;
}

/// Resolves a fused program's operands. `operands` has room for all of them.
static void resolve_fused(fused_run *run, const spk_fused *plan, fused_operand *operands, void *const *slots) {
    *run = (fused_run){.plan = plan, .operands = operands, .rank = plan->rank, .count = 1};
    for (int d = 0; d < plan->rank; d++) {
        run->dims[d] = plan->dims[d];
        run->count *= plan->dims[d];
    }
    for (int o = 0; o < plan->operand_count; o++) {
        const spk_operand *operand = &plan->operands[o];
        operands[o].base =
            operand->slot < 0 ? NULL : spk_address(slots, operand->slot, operand->offset, operand->dtype);
        operands[o].dtype = (uint8_t)operand->dtype;
        operands[o].lane = spk_element_lane[operand->dtype];
        operands[o].size = spk_element_size[operand->dtype];
        operands[o].is_stored = operands[o].is_overwritten = operands[o].copies = operands[o].is_apart = false;
        for (int d = 0; d < plan->rank; d++) { operands[o].strides[d] = operand->strides[d]; }
    }
}

/// Finds out how resolved operands lie in the iteration space. Returns the program's weight: simple operations per element.
static int64_t prepare_fused(fused_run *run) {
    const spk_fused *plan = run->plan;
    fused_operand *operands = run->operands;
    int operand_count = plan->operand_count;
    bool uses_index = false, has_wide_lanes = false, stores = false;
    int64_t weight = 0;
    for (int pc = 0; pc < plan->instruction_count; pc++) {
        const spk_instruction *instruction = &plan->instructions[pc];
        has_wide_lanes = has_wide_lanes || lane_size(instruction->lane) == 8;
        weight += spk_operation_weight(instruction->op);
        switch (instruction->op) {
        case SPK_OP_INDEX: uses_index = true; break;
        case SPK_OP_CONVERT: has_wide_lanes = has_wide_lanes || lane_size((int)instruction->imm_i) == 8; break;
        case SPK_OP_STORE:
            has_wide_lanes = has_wide_lanes || lane_size(operands[instruction->imm_i].lane) == 8;
            operands[instruction->imm_i].is_stored = true;
            stores = true;
            break;
        case SPK_OP_LOAD: has_wide_lanes = has_wide_lanes || lane_size(operands[instruction->imm_i].lane) == 8; break;
        default: break;
        }
    }
    if (!uses_index) { merge_dimensions(run, operand_count); }
    for (int o = 0; o < operand_count; o++) { classify(run, &operands[o]); }
    for (int o = 0; o < operand_count && stores; o++) {
        operands[o].is_apart = operands[o].is_stored;
        for (int p = 0; p < operand_count; p++) {
            if (operands[p].base != operands[o].base) { continue; }
            operands[o].is_overwritten = operands[o].is_overwritten || operands[p].is_stored;
            operands[o].is_apart = operands[o].is_apart && p == o;
        }
    }
    for (int pc = 0; pc < plan->instruction_count && stores; pc++) {
        const spk_instruction *instruction = &plan->instructions[pc];
        if (instruction->op != SPK_OP_LOAD) { continue; }
        fused_operand *operand = &operands[instruction->imm_i];
        if (operand->is_overwritten && !operand->copies) { operand->copies = is_used_after_store(run, pc); }
    }
    run->register_bytes = (has_wide_lanes ? BLOCK * 8 : BLOCK * 4) + 64;
    return weight;
}

static void run_fused(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_fused *plan = arguments;
    fused_operand operands[SPK_MAX(plan->operand_count, 1)];
    fused_run run;
    resolve_fused(&run, plan, operands, slots);
    if (run.count == 0) { return; }
    int64_t weight = prepare_fused(&run);
    bool parallel = pool != NULL && run.count >= 2 * BLOCK && run.count * weight >= FUSED_PARALLEL_WORK;
    if (parallel) {
        // Tiles of equal work, by shape alone.
        int64_t tile = FUSED_PARALLEL_WORK / 4 / SPK_MAX(weight, (int64_t)1);
        run.tile = SPK_MIN(SPK_MAX(spk_ceil_div(tile, BLOCK), (int64_t)1) * BLOCK, (int64_t)FUSED_TILE);
        spk_pool_run(pool, spk_ceil_div(run.count, run.tile), run_fused_tile, &run);
    } else {
        run.tile = run.count;
        run_fused_tile(&run, 0);
    }
}
