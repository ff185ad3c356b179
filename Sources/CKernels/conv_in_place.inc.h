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

/// Some lines of results of one member and plane.
static void run_conv_lines_tile(void *context, int64_t tile) {
    const conv_phase *phase = context;
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    float *margins = spk_get_scratch()->packed_a;
    int64_t first = tile % phase->row_tiles * phase->tile_rows, rest = tile / phase->row_tiles;
    int64_t last = SPK_MIN(first + phase->tile_rows, rows->size[1]);
    int64_t plane = rest % rows->size[0];
    rest /= rows->size[0];
    int64_t member = rest % conv->batch, group = rest / conv->batch;
    const float *x = phase->x + group * conv->x.strides[0] + member * conv->x.strides[1];
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
    };
    for (int64_t column = 0; column < conv->features;) {
        int vectors = panel_vectors(conv->features - column, false);
        int64_t present = SPK_MIN(conv->features - column, (int64_t)(16 * vectors));
        const float *w = phase->w + group * phase->packed_group + column;
        const micro_kernel *kernels = micro_kernels[vectors][present < 16 * vectors];
        call.tail = (int)(present - 16 * (vectors - 1));
        for (int64_t line = first; line < last; line++) {
            int64_t r = 0;
            for (int64_t g = 0; g < groups; g++) {
                int64_t size = width / groups + (g < width % groups);
                call.c = out + line * phase->out_stride[1] + r * phase->out_stride[2] + column;
                call.init = NULL;
                call.b = w;
                for (int64_t t = 0; t < taps->size[0] * taps->size[1]; t++) {
                    int64_t from = (line - first) * rows->step[1] + t % taps->size[1] * taps->step[1];
                    call.a = margins + t / taps->size[1] * plane_floats + from * phase->line_floats + r * call.a_row;
                    kernels[size](&call);
                    call.init = call.c;
                    call.b += call.k * call.b_k;
                }
                r += size;
            }
        }
        column += present;
    }
}

/// The same for the gradient of a kernel, where the batch is innermost in x: a line of rows of patches is a run of x, and the
/// chain goes along pixels. `tile_rows` become those of a line, `depth` the lines of pixels per tile of the input.
static bool conv_rows_in_place(conv_phase *phase) {
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    int64_t pixel = conv->batch, line_rows = rows->size[2] * pixel;
    // Gathering runs of few floats costs more than short chains do.
    int64_t least_chain = line_rows < 32 ? CONV_LEAST_LINE : CONV_LEAST_CHAIN;
    if (conv->x.strides[5] != pixel || conv->x.strides[1] != 1 || !rows->other_inner || !conv->channels_first ||
        taps->size[0] != 1 || taps->size[2] < least_chain || (rows->size[2] > 1 && rows->step[2] != 1) ||
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
    return true;
}

static void run_conv_rows_tile(void *context, int64_t tile) {
    const conv_phase *phase = context;
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    float *margins = spk_get_scratch()->packed_a;
    int64_t row = tile % phase->row_tiles * phase->tile_rows, group = tile / phase->row_tiles;
    int64_t height = SPK_MIN(phase->tile_rows, rows->size[2] * phase->pixel_floats - row);
    if (height <= 0) { return; }
    int64_t groups = spk_ceil_div(height, GEMM_ROWS);
    int64_t kernel_lines = rows->size[0] * rows->size[1];
    const float *x = phase->x + group * conv->x.strides[0];
    micro_call call = {
        .a_row = 1,
        .a_k = taps->step[2] * phase->pixel_floats,
        .b_k = phase->w_k,
        .c_row = conv->out.strides[1],
        .init_row = conv->out.strides[1],
        .k = taps->size[2],
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
            const float *w = phase->w + group * phase->packed_group + (member * taps->size[1] + first) * call.k * call.b_k;
            for (int64_t t = 0; t < kernel_lines; t++) {
                int64_t plane = t / rows->size[1], line = t % rows->size[1];
                const float *from = margins + plane * plane_floats + line * rows->step[1] * phase->line_floats + row;
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
                        call.b = w + column;
                        for (int64_t l = first; l < last; l++) {
                            call.init = member == 0 && l == 0 ? NULL : call.c;
                            kernel(&call);
                            call.a += taps->step[1] * phase->line_floats;
                            call.b += call.k * call.b_k;
                        }
                        column += present;
                    }
                    r += size;
                }
            }
        }
    }
}
