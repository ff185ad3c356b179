// Windows that do not extend along the last dimensions (channels): vectors run along these, and which taps meet an element is
// found out once per line of windows, or per window, not per element. Results are those of the general way, in the same order
// of taps. A part of window.inc.h.

enum {
    WINDOW_BASES = 64,             // places of taps along a line that are listed at a time
    WINDOW_TILE_WORK = 16384,      // elements that a tile of lines reads
};

/// The elements that the taps of a window meet along one dimension: source, source + step, …
typedef struct {
    int64_t source, step, count;
} window_taps;

/// A line of windows along the last dimension that they extend along.
typedef struct {
    window_taps taps[SPK_MAX_RANK]; // along the dimensions before it
    int64_t tap_count;              // along all of these
    int64_t listed;                 // the first tap in `bases`
    int64_t bases[WINDOW_BASES];    // where taps lie, in elements, less the part of the last dimension
} window_line_taps;

/// The taps of the window with this index, as if there were elements everywhere.
SPK_INLINE window_taps window_taps_unbounded(const window_run *run, int d, int64_t index) {
    const spk_window *window = run->window;
    int64_t holes = window->dilation[d], apart = window->window_dilation[d], first = 0;
    int64_t place = index * window->stride[d] - window->padding[d];
    if (holes > 1) {
        int64_t tried = SPK_MIN(run->tap_step[d], window->window[d]);
        while (first < tried && (place + first * apart) % holes != 0) { first += 1; }
        if (first == tried) { return (window_taps){.step = 1}; }
        place = (place + first * apart) / holes;
        apart = run->tap_step[d] * apart / holes;
    }
    return (window_taps){
        .source = place,
        .step = apart,
        .count = holes > 1 ? spk_ceil_div(window->window[d] - first, run->tap_step[d]) : window->window[d],
    };
}

/// Those of them that meet an element.
SPK_INLINE window_taps window_taps_inside(const window_run *run, int d, window_taps taps) {
    if (taps.source < 0) {
        int64_t outside = spk_ceil_div(-taps.source, taps.step);
        taps.source += outside * taps.step;
        taps.count -= outside;
    }
    int64_t behind = run->window->dims[d] - taps.source;
    if (behind <= 0) {
        taps.count = 0;
    } else if ((taps.count - 1) * taps.step >= behind) {
        taps.count = (behind - 1) / taps.step + 1;
    }
    taps.count = SPK_MAX(taps.count, (int64_t)0);
    return taps;
}

/// The taps of the lines' windows along all dimensions but the last one.
static void window_line_begin(const window_run *run, int64_t line, window_line_taps *found) {
    found->tap_count = 1;
    found->listed = -1;
    for (int d = run->last - 1; d >= 0; d--) {
        int64_t size = run->window->output[d];
        found->taps[d] = window_taps_inside(run, d, window_taps_unbounded(run, d, line % size));
        found->tap_count *= found->taps[d].count;
        line /= size;
    }
}

/// Lists the taps of a line from `first` on.
static void window_list_bases(const window_run *run, window_line_taps *line, int64_t first) {
    line->listed = first;
    for (int64_t b = 0; b < SPK_MIN(line->tap_count - first, (int64_t)WINDOW_BASES); b++) {
        int64_t rest = first + b, base = 0, scale = run->channels * run->window->dims[run->last];
        for (int d = run->last - 1; d >= 0; d--) {
            const window_taps *taps = &line->taps[d];
            base += (taps->source + rest % taps->count * taps->step) * scale;
            rest /= taps->count;
            scale *= run->window->dims[d];
        }
        line->bases[b] = base;
    }
}

/// For all taps of a window in row-major order: `source` is where the element's first channel lies.
#define WINDOW_FOR_TAPS(...)                                                                                           \
    for (int64_t listed = 0; listed < line->tap_count; listed += WINDOW_BASES) {                                       \
        if (line->listed != listed) { window_list_bases(run, line, listed); }                                          \
        int64_t bases = SPK_MIN(line->tap_count - listed, (int64_t)WINDOW_BASES);                                      \
        for (int64_t b = 0; b < bases; b++) {                                                                          \
            int64_t source = line->bases[b] + taps.source * run->channels;                                             \
            for (int64_t k = 0; k < taps.count; k++, source += taps.step * run->channels) { __VA_ARGS__ }              \
        }                                                                                                              \
    }

// MARK: Reductions

#define WINDOW_VECTORS(V, VECTORS, IDENTITY, LOADED, OPERATION)                                                        \
    V total[VECTORS];                                                                                                  \
    _Pragma("clang loop unroll(full)") for (int v = 0; v < VECTORS; v++) { total[v] = (V)(IDENTITY); }                 \
    WINDOW_FOR_TAPS({                                                                                                  \
        _Pragma("clang loop unroll(full)") for (int v = 0; v < VECTORS; v++) {                                         \
            const V a = total[v], b = (LOADED);                                                                        \
            total[v] = OPERATION;                                                                                      \
        }                                                                                                              \
    })
#define WINDOW_CHANNELS(T, V, IDENTITY, OPERATION)                                                                     \
    for (; pixel < width; pixel += period, along.source += move) {                                                     \
        const window_taps taps = window_taps_inside(run, run->last, along);                                            \
        const T *src = (const T *)run->src;                                                                            \
        T *dst = (T *)run->dst + (first + pixel) * run->channels, identity = (T)(IDENTITY);                            \
        int64_t c = 0;                                                                                                 \
        if (line->tap_count == 1 && taps.count == 1) {                                                                 \
            /* Windows of one element, as in the gradient of those that do not overlap. */                             \
            const T *from = src + line->bases[0] + taps.source * run->channels;                                        \
            for (; c + 16 <= run->channels; c += 16) {                                                                 \
                const V a = (V)(identity), b = LOAD16(V, from, c);                                                     \
                STORE16(V, dst, c, OPERATION);                                                                         \
            }                                                                                                          \
        }                                                                                                              \
        for (; c + 32 <= run->channels; c += 32) {                                                                     \
            WINDOW_VECTORS(V, 2, identity, LOAD16(V, src, source + c + 16 * v), OPERATION)                             \
            STORE16(V, dst, c, total[0]);                                                                              \
            STORE16(V, dst, c + 16, total[1]);                                                                         \
        }                                                                                                              \
        for (; c < run->channels; c += 16) {                                                                           \
            size_t bytes = (size_t)SPK_MIN(run->channels - c, (int64_t)16) * sizeof(T);                                \
            if (bytes == sizeof(V)) {                                                                                  \
                WINDOW_VECTORS(V, 1, identity, LOAD16(V, src, source + c), OPERATION)                                  \
                STORE16(V, dst, c, total[0]);                                                                          \
            } else {                                                                                                   \
                WINDOW_VECTORS(V, 1, identity, WINDOW_LOAD_SOME(V, src, source + c, bytes), OPERATION)                 \
                memcpy(dst + c, &total[0], bytes);                                                                     \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    return;
/// What lies behind the channels of a tap is read where there are elements, and does not matter.
#define WINDOW_LOAD_SOME(V, src, index, bytes)                                                                         \
    ({                                                                                                                 \
        V some;                                                                                                        \
        if ((index) + 16 <= run->elements) {                                                                           \
            some = LOAD16(V, src, index);                                                                              \
        } else {                                                                                                       \
            some = (V)(0);                                                                                             \
            memcpy(&some, (src) + (index), bytes);                                                                     \
        }                                                                                                              \
        some;                                                                                                          \
    })
#define WINDOW_CHANNELS_OF(T, V, U, W, LOWEST, HIGHEST)                                                                \
    switch (run->window->reduction) {                                                                                  \
    case SPK_WINDOW_ADD: WINDOW_CHANNELS(U, W, 0, a + b)                                                               \
    case SPK_WINDOW_MUL: WINDOW_CHANNELS(U, W, 1, a * b)                                                               \
    case SPK_WINDOW_MAX: WINDOW_CHANNELS(T, V, LOWEST, NAN_WINS_MAX(a, b))                                             \
    default: WINDOW_CHANNELS(T, V, HIGHEST, NAN_WINS_MIN(a, b))                                                        \
    }

/// Every `period`-th window of a line from `pixel` on, which sees the taps `along`; the next one sees them `move` further.
/// Results begin behind `first` windows.
static void window_reduce_pixels(
    const window_run *run, window_line_taps *line, window_taps along, int64_t first, int64_t pixel, int64_t period,
    int64_t move) {
    const int64_t width = run->window->output[run->last];
    if (line->listed != 0) { window_list_bases(run, line, 0); }
    switch (run->window->dtype) {
    case SPK_INT8: WINDOW_CHANNELS_OF(int8_t, i8x16, uint8_t, u8x16, INT8_MIN, INT8_MAX)
    case SPK_INT16: WINDOW_CHANNELS_OF(int16_t, i16x16, uint16_t, u16x16, INT16_MIN, INT16_MAX)
    case SPK_INT32: WINDOW_CHANNELS_OF(int32_t, i32x16, uint32_t, u32x16, INT32_MIN, INT32_MAX)
    case SPK_INT64: WINDOW_CHANNELS_OF(int64_t, i64x16, uint64_t, u64x16, INT64_MIN, INT64_MAX)
    case SPK_UINT8: WINDOW_CHANNELS_OF(uint8_t, u8x16, uint8_t, u8x16, 0, UINT8_MAX)
    case SPK_UINT16: WINDOW_CHANNELS_OF(uint16_t, u16x16, uint16_t, u16x16, 0, UINT16_MAX)
    case SPK_UINT32: WINDOW_CHANNELS_OF(uint32_t, u32x16, uint32_t, u32x16, 0, UINT32_MAX)
    case SPK_UINT64: WINDOW_CHANNELS_OF(uint64_t, u64x16, uint64_t, u64x16, 0, UINT64_MAX)
    case SPK_FLOAT32: WINDOW_CHANNELS_OF(float, f32x16, float, f32x16, -INFINITY, INFINITY)
    case SPK_FLOAT64: WINDOW_CHANNELS_OF(double, f64x16, double, f64x16, -INFINITY, INFINITY)
    default: return;
    }
}

// MARK: The place of the extremum

/// The first extremum of `lanes` channels from `channel` on, as indices into `key`; -1 where there is none.
#define WINDOW_CHANNEL_PLACES(T, V, RELATION)                                                                          \
    {                                                                                                                  \
        const T *key = (const T *)run->key;                                                                            \
        size_t bytes = (size_t)lanes * sizeof(T);                                                                      \
        V best = (V)(0);                                                                                               \
        i64x16 place = (i64x16)(-1);                                                                                   \
        bool first = true;                                                                                             \
        WINDOW_FOR_TAPS({                                                                                              \
            const V value = WINDOW_LOAD_SOME(V, key, source + channel, bytes);                                         \
            const i64x16 here = (i64x16)(source + channel) + lane_numbers;                                             \
            if (first) {                                                                                               \
                best = value;                                                                                          \
                place = here;                                                                                          \
                first = false;                                                                                         \
            } else {                                                                                                   \
                const __typeof__(value == value) wins =                                                                \
                    (value RELATION best) | ((value != value) & (best == best));                                       \
                best = wins != 0 ? value : best;                                                                       \
                place = __builtin_convertvector(wins, i64x16) != 0 ? here : place;                                     \
            }                                                                                                          \
        })                                                                                                             \
        return place;                                                                                                  \
    }
static i64x16 window_channel_places(
    const window_run *run, window_line_taps *line, window_taps taps, int64_t channel, int64_t lanes) {
    const i64x16 lane_numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    bool highest = run->window->reduction == SPK_WINDOW_MAX;
    if (run->window->key_dtype == SPK_FLOAT64) {
        if (highest) { WINDOW_CHANNEL_PLACES(double, f64x16, >) }
        WINDOW_CHANNEL_PLACES(double, f64x16, <)
    }
    if (highest) { WINDOW_CHANNEL_PLACES(float, f32x16, >) }
    WINDOW_CHANNEL_PLACES(float, f32x16, <)
}

/// Moves values between the windows, from `window` on, and the places of their extrema.
static void window_select_channels(
    const window_run *run, window_line_taps *line, window_taps taps, int64_t window, const bool scatters) {
    for (int64_t c = 0; c < run->channels; c += 16) {
        int64_t lanes = SPK_MIN(run->channels - c, (int64_t)16), places[16];
        i64x16 found = window_channel_places(run, line, taps, c, lanes);
        memcpy(places, &found, sizeof places);
        for (int64_t j = 0; j < lanes; j++) { window_move(run, window + c + j, places[j], scatters); }
    }
}

// MARK: Lines

/// All windows of a line. Those that see the same taps follow each other: only whether these lie inside is left to find out.
static void window_run_line(const window_run *run, int64_t number) {
    const spk_window *window = run->window;
    int d = run->last;
    int64_t width = window->output[d], period = window->dilation[d] / conv_gcd(window->dilation[d], window->stride[d]);
    int64_t move = period * window->stride[d] / window->dilation[d];
    window_line_taps line;
    window_line_begin(run, number, &line);
    for (int64_t phase = 0; phase < SPK_MIN(period, width); phase++) {
        window_taps along = window_taps_unbounded(run, d, phase);
        if (run->key == NULL) {
            window_reduce_pixels(run, &line, along, number * width, phase, period, move);
            continue;
        }
        for (int64_t pixel = phase; pixel < width; pixel += period, along.source += move) {
            window_taps taps = window_taps_inside(run, d, along);
            window_select_channels(run, &line, taps, (number * width + pixel) * run->channels, false);
        }
    }
}

static void run_window_lines_tile(void *context, int64_t tile) {
    const window_run *run = context;
    int64_t end = SPK_MIN((tile + 1) * run->lines_per_tile, run->lines);
    for (int64_t line = tile * run->lines_per_tile; line < end; line++) { window_run_line(run, line); }
}

/// Adds the values of a line's windows to the places of their extrema, in the order of the windows.
static void window_scatter_line(const window_run *run, int64_t number) {
    int64_t width = run->window->output[run->last];
    window_line_taps line;
    window_line_begin(run, number, &line);
    for (int64_t pixel = 0; pixel < width; pixel++) {
        window_taps taps = window_taps_inside(run, run->last, window_taps_unbounded(run, run->last, pixel));
        window_select_channels(run, &line, taps, (number * width + pixel) * run->channels, true);
    }
}
