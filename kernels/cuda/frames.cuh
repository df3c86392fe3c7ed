// Frames of a signal: transformed two at a time, masked, transformed back and overlap-added.
//
// A group of LANES threads takes frames 2j and 2j + 1 of one channel as the real and the imaginary part of
// one transform, for a stretch of j. What precedes this text, by geometry: the constants LENGTH, HOP, LANES,
// GROUPS, STRIDE, SLIDES, WARPS_APART, BLOCKS, STAGES, `Stage<s>` and the transforms of few points.

constexpr int BINS = LENGTH / 2 + 1;
constexpr int OVERLAP = (LENGTH + HOP - 1) / HOP;
constexpr int FIRST = Stage<0>::RADIX;           // values of a butterfly of the first stage,
constexpr int APART = LENGTH / FIRST;            // this far apart
constexpr int SHIFT = SLIDES ? HOP / APART : 0;  // the next frame's values, in such steps
constexpr int TURNS = (APART + LANES - 1) / LANES;
constexpr int LAST = Stage<STAGES - 1>::RADIX;
constexpr int SPAN = LENGTH / LAST;  // butterflies of the last stage, and between their frequencies
constexpr int HELD = SLIDES && SHIFT < FIRST ? FIRST - SHIFT : 1;
constexpr int ROOM = STRIDE * APART;     // complex values of a frame pair in shared memory
constexpr int RING = LENGTH + HOP;       // samples under a frame pair
constexpr int SUMS = SLIDES ? TURNS * HELD * LANES : RING;  // floats of a stem that pairs hand on

struct Job {
    const float* x;           // [channels, samples]
    const float2* spectra;    // [channels, frames, BINS], what is transformed back
    const float* masks;       // [stems, channels, frames, BINS]
    float* out;               // [stems, channels, samples]
    float2* transformed;      // [channels, frames, BINS], what transforms become
    const float* window;      // [LENGTH], half of it
    const float* dual;        // [LENGTH], over LENGTH
    const float* weight;      // [LENGTH], window times dual
    const float2* twiddles;   // by stage, forwards and backwards
    long long mask_stem;      // floats between stems
    long long out_stem;
    int samples, frames, start, mirrored;
    int channels, stems, stretches, pairs;  // pairs of a stretch
};

struct Pair {
    long long channel;
    int position;   // of its first frame's first sample
    int frame;      // its first frame
    bool one, two;  // which of both exist
    bool inside;    // both lie in the signal
};

__device__ __forceinline__ void meet() {
    if constexpr (WARPS_APART) {
        __syncwarp();
    } else {
        __syncthreads();
    }
}

__device__ __forceinline__ Pair pair_at(const Job& job, long long channel, int pair) {
    const int frame = 2 * pair;
    const bool one = frame >= 0 && frame < job.frames, two = frame >= 0 && frame + 1 < job.frames;
    const int position = job.start + frame * HOP;
    return {channel, position, frame, one, two, position >= 0 && position <= job.samples - LENGTH - HOP};
}

// Stages ------------------------------------------------------------------------------------------------

template <int S>
__device__ constexpr int turns() {
    return (LENGTH / Stage<S>::RADIX + LANES - 1) / LANES;
}

// The twiddles of a thread's butterflies. They are read before a barrier, so that both waits are one.
template <int S>
struct Twiddles {
    float2 w[turns<S>()][Stage<S>::TWIDDLES];

    __device__ __forceinline__ void forwards(const Job& job, int turn, int u) {
        const float2* table = job.twiddles + Stage<S>::FORWARDS + u % Stage<S>::BELOW;
#pragma unroll
        for (int i = 0; i < Stage<S>::TWIDDLES; i++) w[turn][i] = again(table + i * Stage<S>::BELOW);
    }

    __device__ __forceinline__ void backwards(const Job& job, int lane) {
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) {
            const int u = min(lane + turn * LANES, LENGTH / Stage<S>::RADIX - 1);
            const float2* table = job.twiddles + Stage<S>::BACKWARDS + u / Stage<S>::BELOW;
#pragma unroll
            for (int i = 0; i < Stage<S>::TWIDDLES; i++) w[turn][i] = again(table + i * Stage<S>::ABOVE);
        }
    }
};

template <int S>
__device__ __forceinline__ void load(const float2* room, int u, float2 (&v)[Stage<S>::RADIX]) {
    const float2* from = room + Stage<S>::place(u);
#pragma unroll
    for (int i = 0; i < Stage<S>::RADIX; i++) v[i] = from[i * Stage<S>::APART];
}

template <int S>
__device__ __forceinline__ void store(float2* room, int u, const float2 (&v)[Stage<S>::RADIX]) {
    float2* to = room + Stage<S>::place(u);
#pragma unroll
    for (int i = 0; i < Stage<S>::RADIX; i++) to[i * Stage<S>::APART] = v[i];
}

// The stages between the first and the last, and what is to be done before the last one's barrier.
template <int S, class Then>
__device__ __forceinline__ void between(const Job& job, float2* room, int lane, Then& then) {
    if constexpr (S < STAGES - 1) {
        constexpr int COUNT = LENGTH / Stage<S>::RADIX;
        Twiddles<S> twiddles;
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) twiddles.forwards(job, turn, min(lane + turn * LANES, COUNT - 1));
        meet();
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) {
            const int u = lane + turn * LANES;
            if (COUNT % LANES == 0 || u < COUNT) {
                float2 v[Stage<S>::RADIX];
                load<S>(room, u, v);
                twisted(Points<Stage<S>::RADIX>(), Forward(), v, twiddles.w[turn]);
                store<S>(room, u, v);
            }
        }
        between<S + 1>(job, room, lane, then);
    } else {
        then();
        meet();
    }
}

// The same backwards, with the first stage's twiddles at the end.
template <int S>
__device__ __forceinline__ void back_between(const Job& job, float2* room, int lane, Twiddles<0>& first) {
    if constexpr (S > 0) {
        constexpr int COUNT = LENGTH / Stage<S>::RADIX;
        Twiddles<S> twiddles;
        twiddles.backwards(job, lane);
        meet();
#pragma unroll
        for (int turn = 0; turn < turns<S>(); turn++) {
            const int u = lane + turn * LANES;
            if (COUNT % LANES == 0 || u < COUNT) {
                float2 v[Stage<S>::RADIX];
                load<S>(room, u, v);
                twisted(Points<Stage<S>::RADIX>(), Inverse(), v, twiddles.w[turn]);
                store<S>(room, u, v);
            }
        }
        back_between<S - 1>(job, room, lane, first);
    } else {
        first.backwards(job, lane);
        meet();
    }
}

// Samples -----------------------------------------------------------------------------------------------

// A sample of the signal, or of what stands beyond its ends.
__device__ __forceinline__ float sample(const Job& job, const float* x, int p) {
    int q = p < 0 ? -p : p;
    q = q >= job.samples ? 2 * (job.samples - 1) - q : q;
    return q >= 0 && q < job.samples && (q == p || job.mirrored) ? __ldg(x + q) : 0.f;
}

// Samples p, p + APART, ...
template <int COUNT>
__device__ __forceinline__ void samples_from(const Job& job, const float* x, int p, bool inside, float* to) {
    if (inside) {
        const float* from = x + p;
#pragma unroll
        for (int i = 0; i < COUNT; i++) to[i] = __ldg(from + APART * i);
    } else {
#pragma unroll
        for (int i = 0; i < COUNT; i++) to[i] = sample(job, x, p + APART * i);
    }
}

// The samples of frames, of which each is read once if frames slide and threads hold what they share.
template <bool HOLDS>
struct Samples {
    float held[TURNS][HELD];

    __device__ __forceinline__ void begin(const Job& job, const Pair& pair, int lane) {
        if constexpr (HOLDS) {
            const float* x = job.x + pair.channel * job.samples;
#pragma unroll
            for (int turn = 0; turn < TURNS; turn++) {
                const int u = min(lane + turn * LANES, APART - 1);
                samples_from<FIRST - SHIFT>(job, x, pair.position + u, pair.inside, held[turn]);
            }
        }
    }

    // The values of a butterfly, windowed: the first frame's and the second's.
    __device__ __forceinline__ void next(const Job& job, const Pair& pair, int turn, int u, float2 (&v)[FIRST]) {
        const float* x = job.x + pair.channel * job.samples;
        const int p = pair.position + u;
        float a[FIRST], b[FIRST];
        if constexpr (SLIDES) {
            constexpr int KNOWN = HOLDS ? FIRST - SHIFT : 0;
            float all[FIRST + SHIFT];
            samples_from<FIRST + SHIFT - KNOWN>(job, x, p + APART * KNOWN, pair.inside, all + KNOWN);
#pragma unroll
            for (int i = 0; i < KNOWN; i++) all[i] = held[turn][i];
#pragma unroll
            for (int i = 0; i < FIRST; i++) a[i] = all[i], b[i] = all[i + SHIFT];
#pragma unroll
            for (int i = 0; i < KNOWN; i++) held[turn][i] = all[i + 2 * SHIFT];
        } else {
            samples_from<FIRST>(job, x, p, pair.inside, a);
            samples_from<FIRST>(job, x, p + HOP, pair.inside, b);
        }
        if (!pair.two) {
#pragma unroll
            for (int i = 0; i < FIRST; i++) a[i] = pair.one ? a[i] : 0.f, b[i] = 0.f;
        }
        const float* window = job.window + u;
#pragma unroll
        for (int i = 0; i < FIRST; i++) {
            const float w = again(window + APART * i);
            v[i] = make_float2(w * a[i], w * b[i]);
        }
    }
};

// Spectra -----------------------------------------------------------------------------------------------

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

// Back to samples ---------------------------------------------------------------------------------------

// What a sum is to be multiplied by where frames before the first or after the last lack.
__device__ __forceinline__ float missing(const Job& job, int p) {
    const int at = p - job.start, newest = at / HOP, oldest = at < LENGTH ? 0 : (at - LENGTH) / HOP + 1;
    if (newest < job.frames && at + HOP >= LENGTH) return 1.f;
    float total = 0.f;
    for (int k = min(newest, job.frames - 1); k >= oldest; k--) total += __ldg(job.weight + at - k * HOP);
    return 1.f / total;
}

// Where a pair's two hops of finished samples go.
struct Output {
    float* row;
    int from, position;  // the first sample of the stretch, and of the pair
    bool plain;          // all of them are in the stretch and lie in as many frames as any

    __device__ __forceinline__ void put(const Job& job, int offset, float value) const {
        const int p = position + offset;
        if (p >= from && p < job.samples) {
            __stcs(row + p, value * missing(job, p));
        }
    }
};

__device__ __forceinline__ void inverse(const Job& job, Spectrum& z, float2* room, int lane, Twiddles<0>& first) {
    transform(Points<LAST>(), Inverse(), z.low);
    transform(Points<LAST>(), Inverse(), z.high);
    store<STAGES - 1>(room, lane, z.low);
    store<STAGES - 1>(room, mirrored_of(lane), z.high);
    back_between<STAGES - 2>(job, room, lane, first);
}

__device__ __forceinline__ void frames_at(const Job& job, const float2* room, int u, const float2 (&w)[Stage<0>::TWIDDLES],
                                          float2 (&v)[FIRST]) {
    load<0>(room, u, v);
    twisted(Points<FIRST>(), Inverse(), v, w);
#pragma unroll
    for (int i = 0; i < FIRST; i++) {
        const float d = again(job.dual + u + APART * i);
        v[i] = make_float2(d * v[i].x, d * v[i].y);
    }
}

// Adds a pair's frames to what the pairs before left, writes what is finished and keeps the rest.
// `kept` is the thread's own, `step` apart.
template <int STEP>
__device__ __forceinline__ void slide(const Job& job, const Output& out, const float2* room, int lane,
                                      const Twiddles<0>& twiddles, float* kept) {
#pragma unroll
    for (int turn = 0; turn < TURNS; turn++) {
        const int u = lane + turn * LANES;
        if (APART % LANES == 0 || u < APART) {
            float2 v[FIRST];
            frames_at(job, room, u, twiddles.w[turn], v);
            float sums[FIRST + SHIFT];
#pragma unroll
            for (int i = 0; i < FIRST + SHIFT; i++) {
                float sum = i < FIRST - SHIFT ? kept[(turn * HELD + i) * STEP] : 0.f;
                if (i < FIRST) sum += v[i < FIRST ? i : 0].x;
                if (i >= SHIFT) sum += v[i >= SHIFT ? i - SHIFT : 0].y;
                sums[i] = sum;
            }
            if (out.plain) {
                float* to = out.row + out.position + u;
#pragma unroll
                for (int i = 0; i < 2 * SHIFT; i++) __stcs(to + APART * i, sums[i]);
            } else {
#pragma unroll
                for (int i = 0; i < 2 * SHIFT; i++) out.put(job, u + APART * i, sums[i]);
            }
#pragma unroll
            for (int i = 0; i < FIRST - SHIFT; i++) kept[(turn * HELD + i) * STEP] = sums[i + 2 * SHIFT];
        }
    }
}

// The same through a ring in shared memory that begins at `first`.
__device__ __forceinline__ void ring_add(const Job& job, const Output& out, const float2* room, int lane, int first,
                                         const Twiddles<0>& twiddles, float* ring) {
    float2 v[TURNS][FIRST];
#pragma unroll
    for (int second = 0; second < 2; second++) {
#pragma unroll
        for (int turn = 0; turn < TURNS; turn++) {
            const int u = lane + turn * LANES;
            if (APART % LANES == 0 || u < APART) {
                if (second == 0) frames_at(job, room, u, twiddles.w[turn], v[turn]);
#pragma unroll
                for (int i = 0; i < FIRST; i++) {
                    int at = first + u + APART * i + second * HOP;
                    at = at >= RING ? at - RING : at;
                    ring[at] += second ? v[turn][i].y : v[turn][i].x;
                }
            }
        }
        meet();
    }
    for (int n = lane; n < 2 * HOP; n += LANES) {
        int at = first + n;
        at = at >= RING ? at - RING : at;
        out.put(job, n, ring[at]);
        ring[at] = 0.f;
    }
}

// Kernels -----------------------------------------------------------------------------------------------

// What a group of threads works on: pairs of one channel, from `pair`; `from` is the first sample that it owns.
struct Stretch {
    long long channel;
    int pair, last, from;
    bool real;
};

__device__ __forceinline__ Stretch stretch_of(const Job& job, int earlier) {
    const long long number = (long long)blockIdx.x * GROUPS + threadIdx.x / LANES;
    const int part = number % job.stretches;
    const bool real = number < (long long)job.channels * job.stretches;
    const int first = part * job.pairs;
    int pair = first - earlier;
    if (GROUPS == 1) pair = max(pair, 0);  // groups of one block meet as often as one another
    return {real ? number / job.stretches : 0, pair, first + job.pairs, max(0, job.start + first * 2 * HOP), real};
}

__device__ __forceinline__ Pair next_pair(const Job& job, const Stretch& stretch, int pair) {
    Pair found = pair_at(job, stretch.channel, pair);
    found.one &= stretch.real;
    found.two &= stretch.real;
    return found;
}

__device__ __forceinline__ Output output_of(const Job& job, const Stretch& stretch, const Pair& pair, int stem) {
    float* row = job.out + stem * job.out_stem + stretch.channel * job.samples;
    const bool mine = stretch.real && pair.frame >= 2 * (stretch.last - job.pairs);
    const bool plain = mine && pair.two && pair.frame >= OVERLAP - 1 && pair.position >= stretch.from &&
                       pair.position <= job.samples - 2 * HOP;
    return {row, mine ? stretch.from : job.samples, pair.position, plain};
}

extern __shared__ float2 shared[];

constexpr int EARLIER = OVERLAP / 2;  // pairs before a stretch whose frames reach into it

extern "C" __global__ void __launch_bounds__(LANES * GROUPS, BLOCKS) analysis(const __grid_constant__ Job job) {
    const int lane = threadIdx.x % LANES;
    float2* room = shared + threadIdx.x / LANES * ROOM;
    const Stretch stretch = stretch_of(job, 0);
    Samples<HOLDS> samples;
    samples.begin(job, next_pair(job, stretch, stretch.pair), lane);
    for (int pair = stretch.pair; pair < stretch.last; pair++) {
        const Pair now = next_pair(job, stretch, pair);
        Ends ends;
        begin(job, now, samples, room, lane, [&] { ends.read(job, lane); });
        Spectrum z;
        finish(room, lane, ends, z);
        write(job, now, z, lane);
        meet();
    }
}

// Begins sums at zero: the thread's own, or a group's ring.
template <int COUNT>
__device__ __forceinline__ void clear(float* sums, int from, int step) {
    for (int i = from; i < COUNT; i += step) sums[i] = 0.f;
}

extern "C" __global__ void __launch_bounds__(LANES * GROUPS, BLOCKS) synthesis(const __grid_constant__ Job job) {
    const int group = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    float2* room = shared + group * ROOM;
    float* ring = (float*)(shared + GROUPS * ROOM) + group * SUMS;
    float kept[TURNS * HELD] = {};
    if (!SLIDES) clear<RING>(ring, lane, LANES);
    const Stretch stretch = stretch_of(job, EARLIER);
    int first = 0;
    for (int pair = stretch.pair; pair < stretch.last; pair++) {
        const Pair now = next_pair(job, stretch, pair);
        Spectrum z;
        read(job, now, lane, z);
        meet();
        Twiddles<0> twiddles;
        inverse(job, z, room, lane, twiddles);
        const Output out = output_of(job, stretch, now, 0);
        if constexpr (SLIDES) {
            slide<1>(job, out, room, lane, twiddles, kept);
        } else {
            ring_add(job, out, room, lane, first, twiddles, ring);
            first = (first + 2 * HOP) % RING;
        }
    }
}

extern "C" __global__ void __launch_bounds__(LANES * GROUPS, BLOCKS) roundtrip(const __grid_constant__ Job job) {
    const int group = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    float2* room = shared + group * ROOM;
    float* ring = (float*)(shared + GROUPS * ROOM) + group * SUMS;
    float kept[TURNS * HELD] = {};
    if (!SLIDES) clear<RING>(ring, lane, LANES);
    const Stretch stretch = stretch_of(job, EARLIER);
    int first = 0;
    Samples<HOLDS> samples;
    samples.begin(job, next_pair(job, stretch, stretch.pair), lane);
    for (int pair = stretch.pair; pair < stretch.last; pair++) {
        const Pair now = next_pair(job, stretch, pair);
        Ends ends;
        begin(job, now, samples, room, lane, [&] { ends.read(job, lane); });
        Masks masks;
        masks.read(job, now, 0, lane);
        Spectrum z;
        finish(room, lane, ends, z);
        mask(z, masks, lane, z);
        Twiddles<0> twiddles;
        inverse(job, z, room, lane, twiddles);
        const Output out = output_of(job, stretch, now, 0);
        if constexpr (SLIDES) {
            slide<1>(job, out, room, lane, twiddles, kept);
        } else {
            ring_add(job, out, room, lane, first, twiddles, ring);
            first = (first + 2 * HOP) % RING;
        }
    }
}

// One forward transform for all stems of a job. What pairs hand on lies in shared memory, and if STORES the
// spectrum too, each value where its own thread alone reads it.
extern "C" __global__ void __launch_bounds__(LANES * GROUPS, BLOCKS_OF_MANY) roundtrips(const __grid_constant__ Job job) {
    const int group = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    float2* room = shared + group * ROOM;
    float2* spectrum = shared + GROUPS * ROOM + (STORES ? group * LENGTH + lane : 0);
    float* sums = (float*)(shared + GROUPS * (ROOM + (STORES ? LENGTH : 0))) + group * job.stems * SUMS;
    for (int i = lane; i < job.stems * SUMS; i += LANES) sums[i] = 0.f;
    const Stretch stretch = stretch_of(job, EARLIER);
    int first = 0;
    Samples<false> samples;
    samples.begin(job, next_pair(job, stretch, stretch.pair), lane);
    meet();
    for (int pair = stretch.pair; pair < stretch.last; pair++) {
        const Pair now = next_pair(job, stretch, pair);
        Ends ends;
        begin(job, now, samples, room, lane, [&] { ends.read(job, lane); });
        Spectrum whole;
        finish(room, lane, ends, whole);
        if constexpr (STORES) {
#pragma unroll
            for (int j = 0; j < LAST; j++) {
                spectrum[j * LANES] = whole.low[j];
                spectrum[(LAST + j) * LANES] = whole.high[j];
            }
        }
        for (int stem = 0; stem < job.stems; stem++) {
            Masks masks;
            masks.read(job, now, stem, lane);
            Spectrum z;
#pragma unroll
            for (int j = 0; j < LAST; j++) {
                z.low[j] = STORES ? spectrum[j * LANES] : whole.low[j];
                z.high[j] = STORES ? spectrum[(LAST + j) * LANES] : whole.high[j];
            }
            mask(z, masks, lane, z);
            if (stem > 0) meet();
            Twiddles<0> twiddles;
            inverse(job, z, room, lane, twiddles);
            const Output out = output_of(job, stretch, now, stem);
            if constexpr (SLIDES) {
                slide<LANES>(job, out, room, lane, twiddles, sums + stem * SUMS + lane);
            } else {
                ring_add(job, out, room, lane, first, twiddles, sums + stem * SUMS);
            }
        }
        first = (first + 2 * HOP) % RING;
    }
}
