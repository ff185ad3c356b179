// Reductions over windows, and their derivatives: the value, or the place, of a window's extremum. Results are made line by
// line along the last dimension, tap after tap, so that a window of 1 there (channels) runs as vectors.
// Included once per instruction set.

enum { WINDOW_COLUMNS = 128, WINDOW_PARALLEL_WORK = 32768 };

typedef struct {
    const spk_window *window;
    const char *src, *key; // key NULL: a reduction
    char *dst;
    int64_t lines, blocks; // lines of results; blocks of columns per line
    // Where windows do not extend along the last dimensions: the last one that they do, and the elements behind it. Lines then
    // are those along `last`.
    int last;
    int64_t channels, lines_per_tile, elements; // elements: of src or key
    int64_t tap_step[SPK_MAX_RANK];             // taps between two that meet an element in spite of dilation
} window_run;

/// The indices of a line of results along all dimensions but the last.
static void window_line(const spk_window *window, int64_t line, int64_t *at) {
    for (int d = window->rank - 2; d >= 0; d--) {
        at[d] = line % window->output[d];
        line /= window->output[d];
    }
}

/// Where the elements of a tap lie: columns [first, end) of the block, at `source` + (column - first) * `step`.
typedef struct {
    int64_t first, end, source, step, modulus;
} window_tap;

/// False where the tap of this line lies outside. `tap` are its indices in the window.
static bool window_tap_of(
    const spk_window *window, const int64_t *at, const int64_t *tap, int64_t column, int64_t columns,
    window_tap *found) {
    int last = window->rank - 1;
    int64_t offset = 0;
    for (int d = 0; d < last; d++) {
        int64_t place = at[d] * window->stride[d] + tap[d] * window->window_dilation[d] - window->padding[d];
        int64_t position = place / window->dilation[d];
        if (place < 0 || position >= window->dims[d] || position * window->dilation[d] != place) { return false; }
        offset = (offset + position) * window->dims[d + 1];
    }
    // Columns whose place is a multiple of the dilation: every modulus-th one.
    int64_t stride = window->stride[last], holes = window->dilation[last];
    int64_t shift = tap[last] * window->window_dilation[last] - window->padding[last];
    int64_t first = column + (shift + column * stride < 0 ? spk_ceil_div(-(shift + column * stride), stride) : 0);
    int64_t modulus = 1;
    if (holes > 1) {
        int64_t tried = 0;
        while (tried < holes && (shift + first * stride) % holes != 0) {
            first += 1;
            tried += 1;
        }
        if (tried == holes) { return false; }
        modulus = holes / conv_gcd(holes, stride);
    }
    int64_t limit = (window->dims[last] - 1) * holes - shift; // largest place of a column, less shift
    if (limit < 0 || window->dims[last] == 0) { return false; }
    int64_t end = SPK_MIN(column + columns, limit / stride + 1);
    if (first >= end) { return false; }
    *found = (window_tap){
        .first = first - column,
        .end = end - column,
        .source = offset + (shift + first * stride) / holes,
        .step = modulus * stride / holes,
        .modulus = modulus,
    };
    return true;
}

/// The next tap in row-major order; false after the last one.
SPK_INLINE bool window_next(const spk_window *window, int64_t *tap) {
    for (int d = window->rank - 1; d >= 0; d--) {
        if (++tap[d] < window->window[d]) { return true; }
        tap[d] = 0;
    }
    return false;
}

SPK_INLINE bool window_is_empty(const spk_window *window) {
    for (int d = 0; d < window->rank; d++) {
        if (window->window[d] == 0) { return true; }
    }
    return false;
}

#define WINDOW_REDUCE(T, IDENTITY, OPERATION)                                                                          \
    {                                                                                                                  \
        T total[WINDOW_COLUMNS];                                                                                       \
        for (int64_t j = 0; j < columns; j++) { total[j] = (T)(IDENTITY); }                                            \
        if (!window_is_empty(window)) {                                                                                \
            do {                                                                                                       \
                window_tap found;                                                                                      \
                if (!window_tap_of(window, at, tap, column, columns, &found)) { continue; }                            \
                const T *src = (const T *)run->src + found.source;                                                     \
                if (found.step == 1 && found.modulus == 1) {                                                           \
                    for (int64_t j = found.first; j < found.end; j++) {                                                \
                        const T a = total[j], b = src[j - found.first];                                                \
                        total[j] = (T)(OPERATION);                                                                     \
                    }                                                                                                  \
                } else {                                                                                               \
                    for (int64_t j = found.first; j < found.end; j += found.modulus, src += found.step) {              \
                        const T a = total[j], b = *src;                                                                \
                        total[j] = (T)(OPERATION);                                                                     \
                    }                                                                                                  \
                }                                                                                                      \
            } while (window_next(window, tap));                                                                        \
        }                                                                                                              \
        memcpy((T *)run->dst + line * width + column, total, (size_t)columns * sizeof(T));                             \
    }                                                                                                                  \
    return;
#define WINDOW_OF(T, U, LOWEST, HIGHEST)                                                                               \
    switch (window->reduction) {                                                                                       \
    case SPK_WINDOW_ADD: WINDOW_REDUCE(U, 0, a + b)                                                                    \
    case SPK_WINDOW_MUL: WINDOW_REDUCE(U, 1, a * (1u * b))                                                             \
    case SPK_WINDOW_MAX: WINDOW_REDUCE(T, LOWEST, NAN_WINS(a, b, >))                                                   \
    default: WINDOW_REDUCE(T, HIGHEST, NAN_WINS(a, b, <))                                                              \
    }

static void run_window_block(void *context, int64_t tile) {
    const window_run *run = context;
    const spk_window *window = run->window;
    int64_t width = window->output[window->rank - 1];
    int64_t line = tile / run->blocks, column = tile % run->blocks * WINDOW_COLUMNS;
    int64_t columns = SPK_MIN(width - column, (int64_t)WINDOW_COLUMNS);
    int64_t at[SPK_MAX_RANK], tap[SPK_MAX_RANK] = {0};
    window_line(window, line, at);
    switch (window->dtype) {
    case SPK_INT8: WINDOW_OF(int8_t, uint8_t, INT8_MIN, INT8_MAX)
    case SPK_INT16: WINDOW_OF(int16_t, uint16_t, INT16_MIN, INT16_MAX)
    case SPK_INT32: WINDOW_OF(int32_t, uint32_t, INT32_MIN, INT32_MAX)
    case SPK_INT64: WINDOW_OF(int64_t, uint64_t, INT64_MIN, INT64_MAX)
    case SPK_UINT8: WINDOW_OF(uint8_t, uint8_t, 0, UINT8_MAX)
    case SPK_UINT16: WINDOW_OF(uint16_t, uint16_t, 0, UINT16_MAX)
    case SPK_UINT32: WINDOW_OF(uint32_t, uint32_t, 0, UINT32_MAX)
    case SPK_UINT64: WINDOW_OF(uint64_t, uint64_t, 0, UINT64_MAX)
    case SPK_FLOAT32: WINDOW_OF(float, float, -INFINITY, INFINITY)
    case SPK_FLOAT64: WINDOW_OF(double, double, -INFINITY, INFINITY)
    default: return;
    }
}

// MARK: The place of the extremum

/// The first extremum of each of a block's windows, as an index into `key`; -1 where there is none.
#define WINDOW_PLACES(T, RELATION)                                                                                     \
    {                                                                                                                  \
        T best[WINDOW_COLUMNS];                                                                                        \
        do {                                                                                                           \
            window_tap found;                                                                                          \
            if (!window_tap_of(window, at, tap, column, columns, &found)) { continue; }                                \
            const T *key = (const T *)run->key;                                                                        \
            int64_t source = found.source;                                                                             \
            for (int64_t j = found.first; j < found.end; j += found.modulus, source += found.step) {                   \
                T value = key[source];                                                                                 \
                bool wins = places[j] < 0 || value RELATION best[j] || (value != value && best[j] == best[j]);         \
                best[j] = wins ? value : best[j];                                                                      \
                places[j] = wins ? source : places[j];                                                                 \
            }                                                                                                          \
        } while (window_next(window, tap));                                                                            \
    }                                                                                                                  \
    return;
#define WINDOW_PLACES_OF(T)                                                                                            \
    if (window->reduction == SPK_WINDOW_MAX) { WINDOW_PLACES(T, >) }                                                   \
    WINDOW_PLACES(T, <)

static void window_places(
    const window_run *run, int64_t line, int64_t column, int64_t columns, int64_t places[WINDOW_COLUMNS]) {
    const spk_window *window = run->window;
    int64_t at[SPK_MAX_RANK], tap[SPK_MAX_RANK] = {0};
    window_line(window, line, at);
    for (int64_t j = 0; j < columns; j++) { places[j] = -1; }
    if (window_is_empty(window)) { return; }
    switch (window->key_dtype) {
    case SPK_FLOAT32: WINDOW_PLACES_OF(float)
    case SPK_FLOAT64: WINDOW_PLACES_OF(double)
    default: return;
    }
}

/// dst[window] = src[place], or dst[place] += src[window].
SPK_INLINE void window_move(const window_run *run, int64_t window, int64_t place, const bool scatters) {
#define WINDOW_MOVE(T)                                                                                                 \
    {                                                                                                                  \
        const T *src = (const T *)run->src;                                                                            \
        T *dst = (T *)run->dst;                                                                                        \
        if (!scatters) {                                                                                               \
            dst[window] = place < 0 ? 0 : src[place];                                                                  \
        } else if (place >= 0) {                                                                                       \
            dst[place] += src[window];                                                                                 \
        }                                                                                                              \
    }
    if (run->window->dtype == SPK_FLOAT64) {
        WINDOW_MOVE(double)
    } else {
        WINDOW_MOVE(float)
    }
}

static void run_window_gather_block(void *context, int64_t tile) {
    const window_run *run = context;
    const spk_window *window = run->window;
    int64_t width = window->output[window->rank - 1];
    int64_t line = tile / run->blocks, column = tile % run->blocks * WINDOW_COLUMNS;
    int64_t columns = SPK_MIN(width - column, (int64_t)WINDOW_COLUMNS);
    int64_t places[WINDOW_COLUMNS];
    window_places(run, line, column, columns, places);
    for (int64_t j = 0; j < columns; j++) { window_move(run, line * width + column + j, places[j], false); }
}

#include "window_channels.inc.h"

// MARK: Running

/// Whether vectors run along dimensions that windows do not extend along; then a line has its place in `last`, not in the last
/// dimension.
static void window_find_channels(window_run *run) {
    const spk_window *window = run->window;
    int d = window->rank - 1;
    run->last = d;
    run->channels = 1;
    for (; d > 0 && window->window[d] == 1 && window->stride[d] == 1 && window->padding[d] == 0 &&
         window->dilation[d] == 1 && window->dims[d] == window->output[d];
         d--) {
        run->channels *= window->dims[d];
    }
    if (run->channels == 1) { return; }
    run->last = d;
    for (int i = 0; i <= d; i++) {
        run->tap_step[i] = window->dilation[i] / conv_gcd(window->dilation[i], window->window_dilation[i]);
    }
}

static window_run window_prepare(const spk_window *window, void *const *slots) {
    window_run run = {.window = window, .lines = 1, .lines_per_tile = 1, .elements = 1};
    window_find_channels(&run);
    for (int d = 0; d < run.last; d++) { run.lines *= window->output[d]; }
    for (int d = 0; d < window->rank; d++) { run.elements *= window->dims[d]; }
    run.blocks = spk_ceil_div(window->output[window->rank - 1], WINDOW_COLUMNS);
    run.src = spk_address(slots, window->src, window->src_offset, window->dtype);
    run.dst = spk_address(slots, window->dst, window->dst_offset, window->dtype);
    return run;
}

/// The elements that all windows have.
static double window_work(const window_run *run) {
    double work = (double)run->lines * (double)run->window->output[run->last] * (double)run->channels;
    for (int d = 0; d < run->window->rank; d++) { work *= (double)run->window->window[d]; }
    return work;
}

static spk_pool *window_pool(const window_run *run, spk_pool *pool) {
    return window_work(run) < WINDOW_PARALLEL_WORK ? NULL : pool;
}

/// Windows by lines where there are channels, else by blocks of columns.
static void window_run_tiles(window_run *run, spk_pool *pool, void (*block)(void *context, int64_t tile)) {
    if (run->channels > 1) {
        double each = window_work(run) / (double)SPK_MAX(run->lines, (int64_t)1);
        run->lines_per_tile = SPK_MAX((int64_t)(WINDOW_TILE_WORK / SPK_MAX(each, 1.0)), (int64_t)1);
        int64_t tiles = spk_ceil_div(run->lines, run->lines_per_tile);
        spk_pool_run(window_pool(run, pool), tiles, run_window_lines_tile, run);
    } else {
        spk_pool_run(window_pool(run, pool), run->lines * run->blocks, block, run);
    }
}

static void run_window(const void *arguments, void *const *slots, spk_pool *pool) {
    window_run run = window_prepare(arguments, slots);
    window_run_tiles(&run, pool, run_window_block);
}

static void run_window_gather(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_window *window = arguments;
    window_run run = window_prepare(window, slots);
    run.key = spk_address(slots, window->key, window->key_offset, window->key_dtype);
    window_run_tiles(&run, pool, run_window_gather_block);
}

/// All windows of one index along the first dimension, which has windows of one element: no other tile adds there.
static void run_window_scatter_member(void *context, int64_t tile) {
    const window_run *run = context;
    const spk_window *window = run->window;
    int64_t width = window->output[window->rank - 1];
    for (int64_t line = tile * run->lines; line < (tile + 1) * run->lines; line++) {
        if (run->channels > 1) {
            window_scatter_line(run, line);
            continue;
        }
        for (int64_t column = 0; column < width; column += WINDOW_COLUMNS) {
            int64_t columns = SPK_MIN(width - column, (int64_t)WINDOW_COLUMNS);
            int64_t places[WINDOW_COLUMNS];
            window_places(run, line, column, columns, places);
            for (int64_t j = 0; j < columns; j++) { window_move(run, line * width + column + j, places[j], true); }
        }
    }
}

static void run_window_scatter(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_window *window = arguments;
    window_run run = window_prepare(window, slots);
    run.key = spk_address(slots, window->key, window->key_offset, window->key_dtype);
    bool splits = run.last > 0 && window->window[0] == 1 && window->stride[0] == 1 && window->padding[0] == 0 &&
        window->dilation[0] == 1;
    pool = window_pool(&run, pool);
    if (splits && window->output[0] > 0) {
        run.lines /= window->output[0];
        spk_pool_run(pool, window->output[0], run_window_scatter_member, &run);
    } else {
        run_window_scatter_member(&run, 0);
    }
}
