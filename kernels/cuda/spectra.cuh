// Spectra of two packed frames: there, masked, taken apart, put together.

// Two butterflies of the last stage, g and SPAN - g; for g = 0 those that mirror themselves, 0 and SPAN / 2.
struct Spectrum {
    float2 low[LAST], high[LAST];
};

__device__ __forceinline__ int mirrored_of(int g) {
    return g == 0 ? SPAN / 2 : SPAN - g;
}

// The twiddles of a thread's two butterflies of the last stage.
struct Ends {
    Twiddles<STAGES - 1> low, high;

    __device__ __forceinline__ void read(const Job& job, int lane) {
        low.forwards(job, 0, lane);
        high.forwards(job, 0, mirrored_of(lane));
    }
};

template <bool HOLDS, class Then>
__device__ __forceinline__ void begin(const Job& job, const Pair& pair, Samples<HOLDS>& samples, float2* room,
                                      int lane, Then then) {
#pragma unroll
    for (int turn = 0; turn < TURNS; turn++) {
        const int u = lane + turn * LANES;
        if (APART % LANES == 0 || u < APART) {
            float2 v[FIRST];
            samples.next(job, pair, turn, u, v);
            transform(Points<FIRST>(), Forward(), v);
            store<0>(room, u, v);
        }
    }
    between<1>(job, room, lane, then);
}

__device__ __forceinline__ void finish(const float2* room, int lane, const Ends& ends, Spectrum& to) {
    load<STAGES - 1>(room, lane, to.low);
    load<STAGES - 1>(room, mirrored_of(lane), to.high);
    twisted(Points<LAST>(), Forward(), to.low, ends.low.w[0]);
    twisted(Points<LAST>(), Forward(), to.high, ends.high.w[0]);
}

// What is real in each frame's spectrum, by frequencies g + SPAN j and mirrored_of(g) + SPAN j up to the half.
struct Masks {
    float low[LAST / 2][2], high[LAST / 2][2], half[2];

    __device__ __forceinline__ void read(const Job& job, const Pair& pair, int stem, int lane) {
        const float* row = job.masks + stem * job.mask_stem + (pair.channel * job.frames + pair.frame) * BINS;
        const float *a = row + lane, *b = row + mirrored_of(lane);
        if (pair.two) {
#pragma unroll
            for (int j = 0; j < LAST / 2; j++) {
#pragma unroll
                for (int f = 0; f < 2; f++) {
                    low[j][f] = __ldcs(a + (f * BINS + SPAN * j));
                    high[j][f] = __ldcs(b + (f * BINS + SPAN * j));
                }
            }
            half[0] = lane == 0 ? __ldcs(row + LENGTH / 2) : 0.f;
            half[1] = lane == 0 ? __ldcs(row + BINS + LENGTH / 2) : 0.f;
            return;
        }
#pragma unroll
        for (int j = 0; j < LAST / 2; j++) {
            low[j][0] = pair.one ? __ldcs(a + SPAN * j) : 0.f;
            high[j][0] = pair.one ? __ldcs(b + SPAN * j) : 0.f;
            low[j][1] = high[j][1] = 0.f;
        }
        half[0] = pair.one && lane == 0 ? __ldcs(row + LENGTH / 2) : 0.f;
        half[1] = 0.f;
    }
};

// With Z = (A + iB) / 2 the packed frames, a A + i b B at a frequency is (a + b) Z + (a - b) conj(Z at the
// mirrored one).
__device__ __forceinline__ void mask(float2 z, float2 mirrored, const float (&m)[2], float2& to, float2& to_mirrored) {
    const float s = m[0] + m[1], d = m[0] - m[1];
    to = make_float2(fmaf(s, z.x, d * mirrored.x), fmaf(s, z.y, -(d * mirrored.y)));
    to_mirrored = make_float2(fmaf(s, mirrored.x, d * z.x), fmaf(s, mirrored.y, -(d * z.y)));
}

__device__ __forceinline__ void mask(const Spectrum& z, const Masks& m, int lane, Spectrum& to) {
    if (lane == 0) {
        mask(z.low[0], z.low[0], m.low[0], to.low[0], to.low[0]);
        mask(z.low[LAST / 2], z.low[LAST / 2], m.half, to.low[LAST / 2], to.low[LAST / 2]);
#pragma unroll
        for (int j = 1; j < LAST / 2; j++) {
            mask(z.low[j], z.low[LAST - j], m.low[j], to.low[j], to.low[LAST - j]);
        }
#pragma unroll
        for (int j = 0; j < LAST / 2; j++) {
            mask(z.high[j], z.high[LAST - 1 - j], m.high[j], to.high[j], to.high[LAST - 1 - j]);
        }
    } else {
#pragma unroll
        for (int j = 0; j < LAST / 2; j++) {
            mask(z.low[j], z.high[LAST - 1 - j], m.low[j], to.low[j], to.high[LAST - 1 - j]);
            mask(z.high[j], z.low[LAST - 1 - j], m.high[j], to.high[j], to.low[LAST - 1 - j]);
        }
    }
}

__device__ __forceinline__ void apart_to(float2* row, const Pair& pair, int k, float2 z, float2 mirrored) {
    if (pair.one) row[k] = make_float2(z.x + mirrored.x, z.y - mirrored.y);
    if (pair.two) row[BINS + k] = make_float2(z.y + mirrored.y, mirrored.x - z.x);
}

__device__ __forceinline__ void write(const Job& job, const Pair& pair, const Spectrum& z, int lane) {
    float2* row = job.transformed + (pair.channel * job.frames + pair.frame) * BINS;
    const int other = mirrored_of(lane);
    const bool alone = lane == 0;
#pragma unroll
    for (int j = 0; j < LAST / 2; j++) {
        const float2 self = j == 0 ? z.low[0] : z.low[LAST - j];
        apart_to(row, pair, lane + SPAN * j, z.low[j], alone ? self : z.high[LAST - 1 - j]);
        apart_to(row, pair, other + SPAN * j, z.high[j], alone ? z.high[LAST - 1 - j] : z.low[LAST - 1 - j]);
    }
    if (alone) apart_to(row, pair, LENGTH / 2, z.low[LAST / 2], z.low[LAST / 2]);
}

__device__ __forceinline__ void together(const float2* row, const Pair& pair, int k, float2& z, float2& mirrored) {
    const float2 none = make_float2(0.f, 0.f);
    float2 a = pair.one ? __ldcs(row + k) : none, b = pair.two ? __ldcs(row + BINS + k) : none;
    if (k == 0 || k == LENGTH / 2) a.y = b.y = 0.f;
    mirrored = make_float2(a.x + b.y, b.x - a.y);
    z = make_float2(a.x - b.y, a.y + b.x);
}

__device__ __forceinline__ void read(const Job& job, const Pair& pair, int lane, Spectrum& z) {
    const float2* row = job.spectra + (pair.channel * job.frames + pair.frame) * BINS;
    const int other = mirrored_of(lane);
    float2 low[LAST / 2], high[LAST / 2];
#pragma unroll
    for (int j = 0; j < LAST / 2; j++) {
        together(row, pair, lane + SPAN * j, z.low[j], low[j]);
        together(row, pair, other + SPAN * j, z.high[j], high[j]);
    }
#pragma unroll
    for (int j = 0; j < LAST / 2; j++) {
        if (lane == 0) {
            if (j > 0) z.low[LAST - j] = low[j];
            z.high[LAST - 1 - j] = high[j];
        } else {
            z.high[LAST - 1 - j] = low[j];
            z.low[LAST - 1 - j] = high[j];
        }
    }
    float2 same;
    if (lane == 0) together(row, pair, LENGTH / 2, z.low[LAST / 2], same);
}
