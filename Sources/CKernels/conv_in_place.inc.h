// Convolutions that read patches in place: tiles of the input are copied with their margins, and lines of taps (or, for the
// gradient of a kernel, lines of rows of patches) are runs of them. A part of conv.inc.h.

/// The floats of the input that a line of results sees, and whether the layout allows to read in place.
static bool conv_reads_in_place(conv_phase *phase) {
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    bool pixels = conv->x.strides[5] == conv->channels && (conv->channels == 1 || conv->x.strides[2] == 1);
    if (!pixels || !(taps->other_inner || taps->count == conv->channels || conv->channels == 1) ||
        taps->count == 0 || (taps->size[2] > 1 && taps->step[2] != 1) || rows->other_inner ||
        taps->size[2] * conv->channels < CONV_LEAST_LINE || rows->size[2] < CONV_LEAST_LINE ||
        (conv->out.strides[2] != 1 && conv->features > 1)) {
        return false;
    }
    phase->pixel_floats = conv->channels;
    phase->line_floats = ((rows->size[2] - 1) * rows->step[2] + taps->size[2]) * conv->channels;
    int64_t taps_lines = (taps->size[1] - 1) * taps->step[1] + 1;
    int64_t room = SPK_MAX(
        (int64_t)CONV_MARGIN_FLOATS, taps->size[0] * taps_lines * phase->line_floats);
    if (room > CONV_A_FLOATS - 16) { return false; }
    // As many lines of results as fit, at least one.
    int64_t most = (room / (taps->size[0] * phase->line_floats) - taps_lines) / rows->step[1] + 1;
    phase->tile_rows = SPK_MIN(most, rows->size[1]);
    return true;
}

/// Which of the `count` positions base, base + step, … lie inside of 0..<extent: those from `first` to before `end`.
typedef struct {
    int64_t first, end;
} conv_range;

SPK_INLINE conv_range conv_inside(int64_t base, int64_t step, int64_t count, int64_t extent) {
    int64_t first = base >= 0 ? 0 : spk_ceil_div(-base, step);
    int64_t end = base >= extent ? 0 : SPK_MIN(count, spk_ceil_div(extent - base, step));
    return (conv_range){first, SPK_MAX(first, end)};
}

/// Lines of x from `line` on, with zeros around.
static void conv_copy_margins(
    const conv_phase *phase, const float *x, float *target, int64_t plane, int64_t line, int64_t lines) {
    const spk_conv *conv = phase->conv;
    const int64_t *extent = conv->input;
    int64_t floats = phase->line_floats, from = phase->base[2] * phase->pixel_floats;
    int64_t begin = SPK_MIN(SPK_MAX(-from, (int64_t)0), floats);
    int64_t end = SPK_MAX(SPK_MIN(extent[2] * phase->pixel_floats - from, floats), begin);
    for (int64_t l = line; l < line + lines; l++, target += floats) {
        if (plane < 0 || plane >= extent[0] || l < 0 || l >= extent[1] || begin == end) {
            conv_zeros(target, floats);
            continue;
        }
        if (begin > 0) { conv_zeros(target, begin); }
        conv_copy(
            target + begin, x + plane * conv->x.strides[3] + l * conv->x.strides[4] + from + begin, 1, end - begin);
        if (end < floats) { conv_zeros(target + end, floats - end); }
    }
}

/// Which lines of results a tile has.
typedef struct {
    int64_t first, plane, member, group;
} conv_lines_place;

SPK_INLINE conv_lines_place conv_lines_of(const conv_phase *phase, int64_t tile) {
    int64_t rest = tile / phase->row_tiles, planes = phase->rows.size[0], members = phase->conv->batch;
    return (conv_lines_place){
        .first = tile % phase->row_tiles * phase->tile_rows,
        .plane = rest % planes,
        .member = rest / planes % members,
        .group = rest / planes / members,
    };
}

/// Some lines of results of one member and plane.
static void run_conv_lines_tile(void *context, int64_t tile) {
    const conv_phase *phase = context;
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    float *margins = spk_get_scratch()->packed_a;
    conv_lines_place place = conv_lines_of(phase, tile), later = conv_lines_of(phase, tile + CONV_TILES_AHEAD);
    int64_t first = place.first, plane = place.plane, member = place.member, group = place.group;
    int64_t last = SPK_MIN(first + phase->tile_rows, rows->size[1]);
    const float *x = phase->x + group * conv->x.strides[0] + member * conv->x.strides[1];
    bool asks = later.group < conv->groups && taps->size[0] == 1 && conv->input[0] == 1;
    const float *ahead = asks ? phase->x + later.group * conv->x.strides[0] + later.member * conv->x.strides[1] : NULL;
    float *out = phase->out + group * conv->out.strides[0] + member * conv->out.strides[1] +
        plane * phase->out_stride[0];
    int64_t lines = (last - first - 1) * rows->step[1] + (taps->size[1] - 1) * taps->step[1] + 1;
    int64_t plane_floats = lines * phase->line_floats;
    for (int64_t t = 0; t < taps->size[0]; t++) {
        conv_copy_margins(
            phase, x, margins + t * plane_floats, phase->base[0] + plane * rows->step[0] + t * taps->step[0],
            phase->base[1] + first * rows->step[1], lines);
    }
    int64_t width = rows->size[2], groups = spk_ceil_div(width, GEMM_ROWS);
    micro_call call = {
        .a_row = rows->step[2] * conv->channels,
        .a_k = 1,
        .b_k = phase->w_k,
        .c_row = phase->out_stride[2],
        .init_row = phase->out_stride[2],
        .k = taps->size[2] * conv->channels,
        .a_line = taps->step[1] * phase->line_floats,
    };
    conv_range planes = conv_inside(
        phase->base[0] + plane * rows->step[0], taps->step[0], taps->size[0], conv->input[0]);
    for (int64_t column = 0; column < conv->features;) {
        int vectors = panel_vectors(conv->features - column, false);
        int64_t present = SPK_MIN(conv->features - column, (int64_t)(16 * vectors));
        const float *w = phase->w + group * phase->packed_group + column;
        const micro_kernel *kernels = micro_kernels[vectors][present < 16 * vectors];
        call.tail = (int)(present - 16 * (vectors - 1));
        for (int64_t line = first; line < last; line++) {
            // Lines of taps that lie outside are left out: zeros add nothing.
            conv_range inside = conv_inside(
                phase->base[1] + line * rows->step[1], taps->step[1], taps->size[1], conv->input[1]);
            int64_t from = ((line - first) * rows->step[1] + inside.first * taps->step[1]) * phase->line_floats;
            // The line of x in the middle of what this line of a later tile sees.
            int64_t line_ahead = (later.first + line - first) * rows->step[1] + phase->base[1] + taps->size[1] / 2;
            bool asks_for_line = ahead != NULL && column == 0 && line_ahead >= 0 && line_ahead < conv->input[1];
            int64_t r = 0;
            for (int64_t g = 0; g < groups; g++) {
                int64_t size = width / groups + (g < width % groups);
                call.next_a =
                    asks_for_line ? ahead + line_ahead * conv->x.strides[4] + r * rows->step[2] * conv->channels : NULL;
                call.c = out + line * phase->out_stride[1] + r * phase->out_stride[2] + column;
                call.init = NULL;
                for (int64_t t = planes.first; t < planes.end && inside.first < inside.end; t++) {
                    call.a = margins + t * plane_floats + from + r * call.a_row;
                    call.b = w + (t * taps->size[1] + inside.first) * call.k * call.b_k;
                    call.lines = inside.end - inside.first - 1;
                    kernels[size](&call);
                    call.init = call.c;
                }
                if (call.init == NULL) {
                    micro_call zeros = call;
                    zeros.k = zeros.lines = 0;
                    kernels[size](&zeros);
                }
                r += size;
            }
        }
        column += present;
    }
}

/// The same for the gradient of a kernel, where the batch is innermost in x: a line of rows of patches is a run of x, and the
/// chain goes along pixels. `tile_rows` become those of a line, `depth` the lines of pixels per tile of the input,
/// `column_tiles` the parts of the lines of the kernel.
static bool conv_rows_in_place(conv_phase *phase) {
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    int64_t pixel = conv->batch, line_rows = rows->size[2] * pixel;
    // Gathering runs of few floats costs more than short chains do.
    int64_t least_chain = line_rows < 32 ? CONV_LEAST_LINE : CONV_LEAST_CHAIN;
    if (conv->x.strides[5] != pixel || conv->x.strides[1] != 1 || !(rows->other_inner || pixel == 1) || !conv->channels_first ||
        taps->size[0] != 1 || taps->size[1] * taps->size[2] < least_chain || (rows->size[2] > 1 && rows->step[2] != 1) ||
        (rows->size[2] > 1 && phase->out_stride[2] != pixel * conv->out.strides[1]) ||
        (conv->out.strides[2] != 1 && conv->features > 1)) {
        return false;
    }
    phase->pixel_floats = pixel;
    phase->line_floats = ((taps->size[2] - 1) * taps->step[2] + rows->size[2]) * pixel;
    int64_t around = (rows->size[1] - 1) * rows->step[1] + 1;
    int64_t most = ((CONV_A_FLOATS - 16) / (rows->size[0] * phase->line_floats) - around) / taps->step[1] + 1;
    if (rows->size[0] * phase->line_floats * around > CONV_A_FLOATS - 16) { return false; }
    phase->depth = SPK_MIN(most, taps->size[1]);
    // Each tile copies the input: few tiles of many rows.
    int64_t tiles = SPK_MIN(spk_ceil_div(line_rows, 12), (int64_t)CONV_LEAST_TILES_ACROSS);
    phase->tile_rows = spk_ceil_div(line_rows, tiles);
    phase->row_tiles = spk_ceil_div(line_rows, phase->tile_rows);
    // Too few: the lines of the kernel apart as well.
    phase->column_tiles = phase->row_tiles < CONV_LEAST_TILES_ACROSS ? rows->size[0] * rows->size[1] : 1;
    return true;
}

static void run_conv_rows_tile(void *context, int64_t tile) {
    const conv_phase *phase = context;
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    float *margins = spk_get_scratch()->packed_a;
    int64_t row = tile % phase->row_tiles * phase->tile_rows, part = tile / phase->row_tiles % phase->column_tiles;
    int64_t group = tile / (phase->row_tiles * phase->column_tiles);
    int64_t height = SPK_MIN(phase->tile_rows, rows->size[2] * phase->pixel_floats - row);
    if (height <= 0) { return; }
    int64_t groups = spk_ceil_div(height, GEMM_ROWS);
    int64_t kernel_lines = rows->size[0] * rows->size[1] / phase->column_tiles;
    const float *x = phase->x + group * conv->x.strides[0];
    micro_call call = {
        .a_row = 1,
        .a_k = taps->step[2] * phase->pixel_floats,
        .b_k = phase->w_k,
        .c_row = conv->out.strides[1],
        .init_row = conv->out.strides[1],
        .a_line = taps->step[1] * phase->line_floats,
    };
    for (int64_t member = 0; member < conv->channels; member++) {
        for (int64_t first = 0; first < taps->size[1]; first += phase->depth) {
            int64_t last = SPK_MIN(first + phase->depth, taps->size[1]);
            int64_t lines = (last - first - 1) * taps->step[1] + (rows->size[1] - 1) * rows->step[1] + 1;
            int64_t plane_floats = lines * phase->line_floats;
            for (int64_t t = 0; t < rows->size[0]; t++) {
                conv_copy_margins(
                    phase, x + member * conv->x.strides[2], margins + t * plane_floats,
                    phase->base[0] + t * rows->step[0], phase->base[1] + first * taps->step[1], lines);
            }
            const float *w = phase->w + group * phase->packed_group +
                (member * taps->size[1] + first) * taps->size[2] * call.b_k;
            for (int64_t t = part * kernel_lines; t < (part + 1) * kernel_lines; t++) {
                int64_t plane = t / rows->size[1], line = t % rows->size[1];
                // The lines of pixels, of all and of these, that do not fall outside: zeros add nothing.
                int64_t base = phase->base[1] + line * rows->step[1], place = phase->base[0] + plane * rows->step[0];
                conv_range all = conv_inside(base, taps->step[1], taps->size[1], conv->input[1]);
                if (place < 0 || place >= conv->input[0]) { all.end = all.first; }
                conv_range some = {SPK_MAX(all.first, first), SPK_MIN(all.end, last)};
                bool begins = member == 0 && first <= all.first && all.first < last;
                if (all.first >= all.end) {
                    // Nothing at all: the first call makes the zeros.
                    begins = member == 0 && first == 0;
                    if (!begins) { continue; }
                    call.k = call.lines = 0;
                    some.first = first;
                } else if (some.first >= some.end) {
                    continue;
                } else {
                    call.k = taps->size[2];
                    call.lines = some.end - some.first - 1;
                }
                int64_t skipped = some.first - first;
                const float *from = margins + plane * plane_floats +
                    (line * rows->step[1] + skipped * taps->step[1]) * phase->line_floats + row;
                const float *b = w + skipped * taps->size[2] * call.b_k;
                float *to = phase->out + group * conv->out.strides[0] + plane * phase->out_stride[0] +
                    line * phase->out_stride[1] + row * call.c_row;
                for (int64_t r = 0, g = 0; g < groups; g++) {
                    int64_t size = height / groups + (g < height % groups);
                    for (int64_t column = 0; column < conv->features;) {
                        int vectors = panel_vectors(conv->features - column, false);
                        int64_t present = SPK_MIN(conv->features - column, (int64_t)(16 * vectors));
                        micro_kernel kernel = micro_kernels[vectors][present < 16 * vectors][size];
                        call.tail = (int)(present - 16 * (vectors - 1));
                        call.c = to + r * call.c_row + column;
                        call.a = from + r;
                        call.b = b + column;
                        call.init = begins ? NULL : call.c;
                        kernel(&call);
                        column += present;
                    }
                    r += size;
                }
            }
        }
    }
}
