// The kernels.

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
