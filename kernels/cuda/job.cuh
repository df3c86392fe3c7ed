// Frames of a signal: transformed two at a time, masked, transformed back and overlap-added.
//
// A group of LANES threads takes frames 2j and 2j + 1 of one channel as the real and the imaginary part of
// one transform, for a stretch of j. What precedes this text, by geometry, is written by `source.py`: constants
// (LENGTH to STORES, as `Geometry` has them), `Stage<s>` and the transforms of few points.

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
