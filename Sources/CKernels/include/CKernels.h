// The kernels' interface: what a compiled plan's steps are made of.
//
// A plan is a flat array of steps. Each step is a kernel function and its argument block; buffers are named by
// *slot*, an index into a table of base pointers that the caller fills in before each run. Nothing here allocates,
// locks or looks anything up while a plan runs.
//
// The bits of every result depend on shapes and values alone: not on the number of threads (work is cut into tiles by
// shape), not on the instruction set (the AVX-512, the AVX2 and the portable version of a kernel do the same
// arithmetic, with explicit fused multiply-adds), not on debug or release.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Instruction set

/// Which version of the kernels runs. All give the same bits; the portable one uses the C library's fma.
typedef enum { SPK_LEVEL_PORTABLE = 0, SPK_LEVEL_AVX2 = 1, SPK_LEVEL_AVX512 = 2 } spk_level;

/// The level in use: the best one that the processor has, unless spk_set_level lowered it.
spk_level spk_get_level(void);
/// Lowers the level (for tests and for `--kernels avx2`). A level that the processor lacks is ignored; returns the
/// level now in use.
spk_level spk_set_level(spk_level level);

// MARK: Threads

/// A pool of threads that park: the caller works too, waits for tiles (not for workers), and spins at most about 20 us.
typedef struct spk_pool spk_pool;
/// A pool that uses `threads` threads in all, the caller included. 1 gives a pool without threads.
spk_pool *spk_pool_create(int threads);
void spk_pool_destroy(spk_pool *pool);
int spk_pool_threads(const spk_pool *pool);
/// Calls body(context, tile) once for each tile in 0..<tiles. `pool` may be NULL: then all on the caller.
void spk_pool_run(spk_pool *pool, int64_t tiles, void (*body)(void *context, int64_t tile), void *context);

// MARK: Element types

/// How an element is stored in memory. The order is TensorEngine's DType's.
typedef enum {
    SPK_BOOL = 0, SPK_INT8, SPK_INT16, SPK_INT32, SPK_INT64, SPK_UINT8, SPK_UINT16, SPK_UINT32, SPK_UINT64,
    SPK_FLOAT16, SPK_BFLOAT16, SPK_FLOAT32, SPK_FLOAT64,
} spk_dtype;

/// How an element is held in a register of the block interpreter.
/// bool, int8, int16, int32 -> I32; uint8, uint16, uint32 -> U32; float16, bfloat16, float32 -> F32.
typedef enum { SPK_LANE_F32 = 0, SPK_LANE_F64, SPK_LANE_I32, SPK_LANE_U32, SPK_LANE_I64, SPK_LANE_U64 } spk_lane;

enum { SPK_MAX_RANK = 8 };

// MARK: The block interpreter: fused elementwise work

/// Operations of the block interpreter. `lane` in the instruction says on which type; comparisons and logic on
/// conditions give I32 lanes of 0 or 1. Integer arithmetic wraps. Unless said otherwise: dst = op(a[, b[, c]]).
typedef enum {
    SPK_OP_LOAD,       // dst = operand `imm_i` at this index, converted to the lane of its dtype (see spk_lane)
    SPK_OP_STORE,      // operand `imm_i` at this index = a, converted (rounded to nearest even; integers wrapped) to storage
    SPK_OP_CONST,      // dst = imm_f (F32, F64) or imm_i
    SPK_OP_INDEX,      // dst = this element's index along dimension imm_i of the iteration space
    SPK_OP_CONVERT,    // dst (lane) = a (lane imm_i): float -> int truncates and saturates, NaN -> 0; int -> int wraps
    SPK_OP_ROUND_F16,  // F32: a rounded to float16 and back
    SPK_OP_ROUND_BF16, // F32: a rounded to bfloat16 and back
    SPK_OP_WRAP,       // I32, U32: a wrapped to the storage type imm_i (spk_dtype) and widened again; SPK_BOOL: a != 0
    SPK_OP_COPY,
    // arithmetic
    SPK_OP_ADD, SPK_OP_SUB, SPK_OP_MUL,
    SPK_OP_DIV,        // floats IEEE; integers truncate; x / 0 is -1 (signed) or all ones; INT_MIN / -1 is INT_MIN
    SPK_OP_REM,        // sign of the dividend; x rem 0 is x
    SPK_OP_NEG, SPK_OP_ABS, SPK_OP_SIGN,
    SPK_OP_MAX, SPK_OP_MIN, // NaN in either gives NaN
    SPK_OP_FMA,        // a * b + c, one rounding
    SPK_OP_POW,        // floats; integers wrap, and a negative power is the reciprocal rounded towards 0
    SPK_OP_INTEGER_POW,// a to the power imm_i (>= 0), by repeated squaring from the lowest bit
    // floats: rounding and tests
    SPK_OP_FLOOR, SPK_OP_CEIL, SPK_OP_ROUND_EVEN, SPK_OP_ROUND_AWAY, SPK_OP_IS_FINITE,
    SPK_OP_NEXTAFTER,
    // floats: transcendental
    SPK_OP_SQRT, SPK_OP_RSQRT /* 1 / sqrt */, SPK_OP_CBRT, SPK_OP_EXP, SPK_OP_EXP2, SPK_OP_EXPM1, SPK_OP_LOG, SPK_OP_LOG1P,
    SPK_OP_SIN, SPK_OP_COS, SPK_OP_TAN, SPK_OP_ASIN, SPK_OP_ACOS, SPK_OP_ATAN, SPK_OP_ATAN2,
    SPK_OP_SINH, SPK_OP_COSH, SPK_OP_TANH, SPK_OP_ASINH, SPK_OP_ACOSH, SPK_OP_ATANH,
    SPK_OP_LOGISTIC, SPK_OP_ERF, SPK_OP_ERFC,
    SPK_OP_ERF_INV,    // float32: Giles' polynomial, see erf_inv below
    SPK_OP_LGAMMA, SPK_OP_DIGAMMA,
    SPK_OP_BESSEL_I0E, SPK_OP_BESSEL_I1E, // modified Bessel functions of the first kind times exp(-|a|)
    SPK_OP_NDTRI,      // the quantile function of the normal distribution
    SPK_OP_LOG_NDTR,   // the logarithm of its distribution function
    SPK_OP_ZETA,       // Hurwitz: the sum of (b + k)^-a over k >= 0
    // comparison: I32 0/1
    SPK_OP_EQ, SPK_OP_NE, SPK_OP_LT, SPK_OP_LE, SPK_OP_GT, SPK_OP_GE,
    SPK_OP_SELECT,     // a (I32 condition) != 0 ? b : c
    // integers and conditions
    SPK_OP_AND, SPK_OP_OR, SPK_OP_XOR, SPK_OP_NOT /* bitwise */, SPK_OP_LOGICAL_NOT /* 0/1 */,
    SPK_OP_SHL, SPK_OP_SHR /* logical on U lanes, arithmetic on I lanes; a shift >= width gives 0 or the sign */,
    SPK_OP_SHR_LOGICAL /* logical on any lane */, SPK_OP_POPCOUNT, SPK_OP_CLZ,
    SPK_OP_BITCAST,    // dst (lane) = the bits of a (lane imm_i), same width
    SPK_OP_THREEFRY,   // U32: (dst, dst2) = Threefry-2x32 of key (a, b) at counter (c, d)
    SPK_OP_COUNT
} spk_op;

typedef struct {
    uint8_t op;    // spk_op
    uint8_t lane;  // spk_lane of the operation (for comparisons: of the operands; for SELECT: of b and c)
    uint16_t dst, a, b, c, d; // registers
    // THREEFRY: the register of its second result. Others: 1 + the number of the operand that a later STORE puts the result
    // into, 0 where none does (or is not known: then the result is copied there).
    uint16_t dst2;
    union { double imm_f; int64_t imm_i; };
} spk_instruction;

/// How long an operation (spk_op) takes for one element, in simple operations.
int spk_operation_weight(int op);

/// An array that a step reads or writes: element (i0, i1, …) is at base + (offset + sum i_k * strides[k]) elements.
/// Stride 0 broadcasts; strides may be negative.
typedef struct {
    int32_t slot;
    int32_t dtype; // spk_dtype
    int64_t offset;
    int64_t strides[SPK_MAX_RANK];
} spk_operand;

/// What a group's machine code walks: `rows` times `columns` elements (both > 0). It advances the addresses by rows.
typedef struct {
    int64_t rows, columns;
    struct spk_code_operand {
        char *base;        // of the first element
        int64_t row_bytes; // from row to row
    } operands[];
} spk_code_frame;
typedef void (*spk_code)(spk_code_frame *frame);

/// Memory for machine code, which is never writable and executable at once. NULL where the system gives none.
typedef struct spk_code_memory spk_code_memory;
spk_code_memory *spk_code_memory_create(void);
/// A copy of a function's code that can be called; NULL if there is no room.
spk_code spk_code_memory_add(spk_code_memory *memory, const void *bytes, int64_t count);
/// Nothing will be added any more.
void spk_code_memory_seal(spk_code_memory *memory);
void spk_code_memory_destroy(spk_code_memory *memory);

/// Fused elementwise work over an iteration space of `rank` dimensions (the last one innermost). Cut into blocks of
/// consecutive elements; each block runs the whole code. Register numbers are < register_count <= 64. An operand that
/// is stored may be the same memory as one that is loaded, if both have the same strides and offset.
typedef struct {
    int32_t rank, operand_count, instruction_count, register_count;
    int64_t dims[SPK_MAX_RANK];
    const spk_operand *operands;
    const spk_instruction *instructions;
    // The same as machine code for AVX-512, which runs in place of the instructions where the processor has it, over rows of
    // the last dimension; or NULL. weight: its simple operations per element.
    spk_code code;
    int64_t weight;
} spk_fused;

// MARK: Contractions

/// C[b, i, j] = init[b, i, j] + sum over k of A[b, i, k] * B[b, k, j], each element one chain of fused multiply-adds in
/// the order of k, starting from init (0 when init.slot < 0). float32, A, B, init and C.
/// Strides are in elements: operand strides[0] over the batch, then [1] rows, [2] columns (A: i, k; B: k, j). init may
/// have strides 0 (a bias). C is written with its strides too (columns must be contiguous: strides[2] == 1).
/// With batch_inner > 1 the batch is two dimensions, the inner one of that size with strides[3], for A, B and C.
///
/// With b_in_panels (batch 1, n a multiple of SPK_PANEL_COLUMNS) B lies as the kernel reads it: panels of that many columns
/// one behind the other, each dense [k, SPK_PANEL_COLUMNS], and its strides do not matter.
///
/// `epilogue`, if there is one, is elementwise work over [batch, m, n] that runs on each tile of C as soon as it is
/// computed. Its operand number `product` is C; with c.slot < 0 (and no init)
/// nobody else reads C, which then never gets to memory.
typedef struct {
    int64_t batch, m, n, k, batch_inner;
    spk_operand a, b, init, c;
    const spk_fused *epilogue;
    int32_t product, b_in_panels;
} spk_gemm;
enum { SPK_PANEL_COLUMNS = 32 };

/// The same sum for float64 and the integer types (dtype of A, B and C alike), in the same order.
typedef struct {
    int64_t batch, m, n, k;
    spk_operand a, b, c;
} spk_matmul_plain;

// MARK: Convolutions and windows

/// out[g, n, o, f] = sum over taps t and channels c of x[g, n, position, c] * w[g, t, c, f] for each of `groups` groups, where
/// position * input_dilation = o * stride + t * kernel_dilation - padding in each of three spatial dimensions (unused
/// ones in front have size 1). Positions outside of x count as zeros, or their taps are left out (which differs only where w is
/// not finite); taps that fall between its elements (input_dilation > 1) are left out. Sizes are per group. Strides of the operands: group, then batch, channel (x), channel,
/// feature (w), batch, feature (out), then the spatial ones.
///
/// float32: every element is one chain of fused multiply-adds from 0, in the order (t, c), or (c, t) with channels_first.
/// w's features must be contiguous and (t, c), or (c, t), one run of constant stride. `packed` is a slot with room for a
/// group's w without gaps, all groups one after the other, at `packed_offset`; needed where an input_dilation is > 1 (else -1).
/// float64 and integers (plain loops in the same order; any strides).
typedef struct {
    int64_t groups, batch, features, channels;
    int64_t input[3], kernel[3], output[3];
    int64_t stride[3], padding[3], input_dilation[3], kernel_dilation[3];
    int32_t channels_first, packed;
    int64_t packed_offset;
    spk_operand x, w, out;
} spk_conv;

typedef enum { SPK_WINDOW_ADD, SPK_WINDOW_MUL, SPK_WINDOW_MAX, SPK_WINDOW_MIN /* NaN wins */ } spk_window_reduction;

/// Reductions over windows: dst[o] = reduction over t of src[position], position * dilation = o * stride + t *
/// window_dilation - padding in each dimension, in row-major order of t; positions outside of src, or between its elements,
/// count as the identity (0, 1, the lowest, the highest). All dense.
///
/// spk_run_window_gather and spk_run_window_scatter find the window's first extremum of `key` (MAX, MIN; shaped as src),
/// and move values of dtype: dst[o] = src[there], and dst[there] += src[o] in the order of o (dst, of key's shape, begins with
/// zeros). A window without elements of `key` gives 0, and adds nothing. `key_dtype` is the type of key, `dtype` that of src and dst.
/// `dims` is the shape of src (or key), `output` the number of windows.
typedef struct {
    int32_t reduction, dtype, key_dtype, rank;
    int64_t dims[SPK_MAX_RANK], output[SPK_MAX_RANK], window[SPK_MAX_RANK];
    int64_t stride[SPK_MAX_RANK], padding[SPK_MAX_RANK], dilation[SPK_MAX_RANK], window_dilation[SPK_MAX_RANK];
    int32_t src, key, dst;
    int64_t src_offset, key_offset, dst_offset;
} spk_window;

// MARK: Reductions

typedef enum {
    SPK_REDUCE_SUM, SPK_REDUCE_PROD, SPK_REDUCE_MAX, SPK_REDUCE_MIN /* NaN wins */, SPK_REDUCE_AND, SPK_REDUCE_OR, SPK_REDUCE_XOR,
    SPK_REDUCE_ARGMAX, SPK_REDUCE_ARGMIN, // first extremum, or first NaN; result int32
} spk_reduction;

/// dst[o, i] = reduction over r of src[o, r, i]; src is dense [outer, count, inner], dst dense [outer, inner].
/// float16 and bfloat16 accumulate in float32 and round once. count == 0 gives the identity (SUM 0, PROD 1, MAX -inf or the
/// lowest, …; ARGMAX 0). Order of the sum is fixed by shape: inner == 1: 16 interleaved lanes over chunks of 4096,
/// lanes combined pairwise (8 apart, then 4, 2, 1), chunks combined as a balanced tree; inner > 1: rows in order over
/// chunks of 256 rows, chunks combined as a balanced tree (whose left part is the largest power of two below the count).
typedef struct {
    int32_t reduction, dtype;
    int64_t outer, count, inner;
    int32_t src, dst;           // slots
    int64_t src_offset, dst_offset; // in elements
} spk_reduce;

typedef enum { SPK_CUMSUM, SPK_CUMPROD, SPK_CUMMAX, SPK_CUMMIN, SPK_CUMLOGSUMEXP /* floats, in double precision */ } spk_cumulation;
/// Running reduction along the middle dimension of dense [outer, count, inner]; `reverse` runs from the end.
typedef struct {
    int32_t cumulation, dtype, reverse;
    int64_t outer, count, inner;
    int32_t src, dst;
    int64_t src_offset, dst_offset;
} spk_cumulative;

// MARK: Moving data

/// dst[index] = src[index] over an iteration space, for any element size (1, 2, 4, 8): transposition, slices,
/// broadcasts, concatenation (one copy per piece). Both operands have the same dtype. Blocked so that transposes of
/// large matrices are cache-friendly.
typedef struct {
    int32_t rank;
    int64_t dims[SPK_MAX_RANK];
    spk_operand src, dst;
} spk_copy;

/// Fills dense memory with one element, whose bits are the low bytes of `bits`.
typedef struct {
    int32_t slot, dtype;
    int64_t offset, count;
    uint64_t bits;
} spk_fill;

typedef enum { SPK_INDEX_CLAMP, SPK_INDEX_FILL /* NaN, or the dtype's lowest for ints / highest for unsigned; scatter: drop */ } spk_index_mode;

/// take along an axis: dst[o, j, i] = src[o, index(j), i]; src dense [outer, count, inner], indices dense int32 [indices],
/// dst dense [outer, indices, inner]. Indices are taken as they are (no wrapping of negative ones): out of range clamps or
/// fills.
typedef struct {
    int32_t dtype, mode;
    int64_t outer, count, inner, indices;
    int32_t src, index, dst;
    int64_t src_offset, index_offset, dst_offset;
} spk_take;

/// dst[o, index(j), i] += src[o, j, i] in the order of j (deterministic); dst must hold its initial value. Out-of-range
/// indices are dropped. Types as in spk_take; threads split over outer and inner only.
typedef struct {
    int32_t dtype;
    int64_t outer, count, inner, indices;
    int32_t src, index, dst;
    int64_t src_offset, index_offset, dst_offset;
} spk_scatter_add;

/// take_along_axis: dst[o, j, i] = src[o, index[o, j, i], i], index dense int32 [outer, indices, inner]. Arguments as spk_take's.
typedef spk_take spk_take_along;

/// The transpose of take_along_axis: dst[o, index[o, j, i], i] += src[o, j, i], in the order of j.
/// Arguments as spk_scatter_add's.
typedef spk_scatter_add spk_scatter_add_along;

/// dst[o, 0..<count] = int32 indices that sort row o of src (dense [outer, count]) ascending, stably; NaN last, and
/// -0 equal to 0. `descending` is the opposite order (NaN first), stable too. `scratch` is a slot with room for one row:
/// spk_argsort_scratch_bytes, aligned to 8 bytes.
typedef struct {
    int32_t dtype, descending;
    int64_t outer, count;
    int32_t src, dst, scratch;
    int64_t src_offset, dst_offset, scratch_offset; // in elements (scratch: bytes)
} spk_argsort;
int64_t spk_argsort_scratch_bytes(int64_t count);

/// dst[o, i] = where values[o, i] (dense [outer, queries]) goes in the ascending row o of `sorted` (dense [outer, count]), as
/// int32: before the elements that are equal to it, or behind them (`right`). In argsort's order: NaN last, -0 equal to 0.
typedef struct {
    int32_t dtype, right;
    int64_t outer, count, queries;
    int32_t sorted, values, dst;
    int64_t sorted_offset, values_offset, dst_offset;
} spk_search_sorted;

/// Copies of windows whose place is known only when the step runs. `window` copies the window of one member, whose source
/// (or target, with `moves_target`) is moved by start[k] * moved_strides[k] for each of `axes` dimensions. Member b's
/// start[k] is the int32 at starts[k] + b * start_strides[k]; a negative one counts from the end (sizes[k] is added), and
/// then it is limited to 0...limits[k]. `whole` is copied first, as a background, if it has a rank and is not the same memory.
typedef struct {
    spk_copy whole, window;
    int32_t moves_target, axes;
    int64_t members, src_member_stride, dst_member_stride; // in elements
    int32_t starts[SPK_MAX_RANK];                          // slots
    int64_t start_offsets[SPK_MAX_RANK], start_strides[SPK_MAX_RANK];
    int64_t sizes[SPK_MAX_RANK], limits[SPK_MAX_RANK], moved_strides[SPK_MAX_RANK];
} spk_dynamic_window;

typedef enum { SPK_UPDATE_SET, SPK_UPDATE_ADD, SPK_UPDATE_MUL, SPK_UPDATE_MIN, SPK_UPDATE_MAX /* NaN wins */ } spk_update;

/// dst = operand, then dst[o, index(j), i] = update(dst[o, index(j), i], src[o, j, i]) in the order of j, so that of several
/// SETs the last one stays. operand and dst are dense [outer, count, inner], and may be the same memory. Indices outside are
/// dropped. bool: ADD and MAX are or, MUL and MIN are and. float16 and bfloat16 compute in float32 and round each time.
typedef struct {
    int32_t dtype, update; // spk_update
    int64_t outer, count, inner, indices;
    int32_t operand, src, index, dst;
    int64_t operand_offset, src_offset, index_offset, dst_offset;
} spk_scatter;

// MARK: Plans

/// One step: `run(arguments, slots, pool)`. `arguments` points to one of the structs above.
typedef void (*spk_kernel)(const void *arguments, void *const *slots, spk_pool *pool);
typedef struct {
    spk_kernel run;
    const void *arguments;
} spk_step;

void spk_run_fused(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_gemm(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_matmul_plain(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_conv(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_window(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_window_gather(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_window_scatter(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_reduce(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_cumulative(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_copy(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_fill(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_take(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_scatter_add(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_take_along(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_scatter_add_along(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_argsort(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_search_sorted(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_dynamic_window(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_scatter(const void *arguments, void *const *slots, spk_pool *pool);

// MARK: Decompositions

/// Dense row-major matrices [count, rows, columns] = q [count, rows, inner] * r [count, inner, columns], float32 or float64,
/// with inner = min(rows, columns) or rows. `work` is a slot with room for spk_qr_work_count doubles. Signs are LAPACK's.
typedef struct {
    int32_t dtype;
    int64_t count, rows, columns, inner;
    int32_t matrix, q, r, work; // slots
    int64_t matrix_offset, q_offset, r_offset; // in elements
} spk_qr;
int64_t spk_qr_work_count(int64_t rows, int64_t columns, int64_t inner);
void spk_run_qr(const void *arguments, void *const *slots, spk_pool *pool);

// MARK: Control flow: steps that run steps

/// Slot `slot` holds, in iteration i, the address of slot `source` plus i * stride_bytes.
typedef struct {
    int32_t slot, source;
    int64_t stride_bytes;
} spk_loop_slice;

/// A loop's value: an iteration reads slot `current` and writes slot `next`; the two exchange their places after it.
typedef struct {
    int32_t current, next;
} spk_carry;

/// Runs `body` `length` times, along windows; the last position first if `reverse`.
typedef struct {
    const spk_step *body;
    int64_t body_count, length;
    int32_t reverse, window_count, carry_count;
    const spk_loop_slice *windows;
    const spk_carry *carries;
} spk_scan;

/// Runs `body` as long as `condition` leaves a bool other than 0 at the start of `condition_slot`.
typedef struct {
    const spk_step *condition, *body;
    int64_t condition_count, body_count;
    int32_t condition_slot, carry_count;
    const spk_carry *carries;
} spk_while;

typedef struct {
    const spk_step *steps;
    int64_t count;
} spk_branch;

/// Runs the branch that an int32 names; numbers outside mean the first or the last one.
typedef struct {
    int32_t index_slot, branch_count;
    int64_t index_offset; // in elements
    const spk_branch *branches;
} spk_switch;

void spk_run_scan(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_while(const void *arguments, void *const *slots, spk_pool *pool);
void spk_run_switch(const void *arguments, void *const *slots, spk_pool *pool);

/// Runs the steps in order.
void spk_run_plan(const spk_step *steps, int64_t count, void *const *slots, spk_pool *pool);

/// How long a step took so far, in seconds, and how often it ran.
typedef struct {
    double seconds;
    int64_t runs;
} spk_step_time;

/// Runs the steps in order and adds to `times`: one for each step, followed by those of the steps that it runs. Reading the clock
/// costs some 30 ns a step.
void spk_profile_plan(
    const spk_step *steps, int64_t count, void *const *slots, spk_pool *pool, spk_step_time *times);

#ifdef __cplusplus
}
#endif
