#include "Cinflate.h"

#include <stdlib.h>
#include <string.h>

/* An entry says what the next bits are.
   Bytes, one to three of them: `is_bytes`; bits 0 to 4 say how many bits they take, bits 5 and 6 how many they are, and bits
   8 to 31 are the bytes.
   A length or distance: bits 16 to 30 are the least it can be, to which what is in the bits after the code is added; bits 0 to
   4 say how many both take, bits 8 to 11 how many the code does. */
enum { is_bytes = 1 << 7, is_end = 1 << 14, is_link = 1 << 13 };

/* Bits that are looked up at once; what is longer is looked up in a second table, whose place bits 16 to 30 are. */
enum { length_bits = 11, distance_bits = 8, longest_code = 15 };
enum { length_codes = 286, distance_codes = 30 };
enum { length_rest = 1 << (longest_code - length_bits), distance_rest = 1 << (longest_code - distance_bits) };

/* The longest header: 17 bits, 19 lengths of 3 bits, 316 codes of 7 bits with 7 more; in bytes. */
enum { longest_header = 576 };

struct tables {
    uint32_t lengths[(1 << length_bits) + length_codes * length_rest];
    uint32_t distances[(1 << distance_bits) + distance_codes * distance_rest];
    /* What they were made of: so many bits, the first three of which say that this is a last block with dynamic tables. */
    uint8_t header[longest_header];
    size_t header_bits;
};

/* Each thread that writes a pack has tables of its own, and changes them now and then. */
enum { kept_tables = 4 };

struct cinflate_tables {
    struct tables kept[kept_tables];
    unsigned latest, oldest;
};

cinflate_tables *cinflate_allocate_tables(void) {
    return calloc(1, sizeof(cinflate_tables));
}

/* --- Bits --- */

struct bits {
    const uint8_t *in, *end;
    uint64_t held;
    /* How many of `held` are the stream's. */
    unsigned count;
};

static inline uint64_t eight(const uint8_t *in) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t word;
    memcpy(&word, in, 8);
    return word;
#else
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--) word = word << 8 | in[i];
    return word;
#endif
}

/* Holds 56 bits at least; eight bytes can be read. */
static inline void fill(struct bits *bits) {
    bits->held |= eight(bits->in) << bits->count;
    bits->in += (63 - bits->count) >> 3;
    bits->count |= 56;
}

/* Holds as many as there are, 56 at least when there are. */
static inline void fill_carefully(struct bits *bits) {
    while (bits->count < 56 && bits->in < bits->end) {
        bits->held |= (uint64_t)*bits->in++ << bits->count;
        bits->count += 8;
    }
}

static inline uint64_t low(uint64_t bits, unsigned count) { return bits & (((uint64_t)1 << count) - 1); }

static inline void drop(struct bits *bits, unsigned count) {
    bits->held >>= count;
    bits->count -= count;
}

/* --- Tables --- */

static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                         31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

static uint32_t length_entry(unsigned symbol, unsigned length) {
    if (symbol < 256) return is_bytes | symbol << 8 | 1 << 5 | length;
    if (symbol == 256) return is_end | length << 8 | length;
    return (uint32_t)length_base[symbol - 257] << 16 | length << 8 | (length + length_extra[symbol - 257]);
}

static uint32_t distance_entry(unsigned symbol, unsigned length) {
    const unsigned extra = symbol < 4 ? 0 : symbol / 2 - 1;
    const unsigned base = symbol < 4 ? symbol + 1 : ((2 | (symbol & 1)) << extra) + 1;
    return base << 16 | length << 8 | (length + extra);
}

/* Makes a table of the lengths of codes; 0 when they are not those of a complete code. */
static int make_table(
    uint32_t *table, unsigned first_bits, const uint8_t *lengths, unsigned codes,
    uint32_t (*entry)(unsigned symbol, unsigned length)) {
    unsigned counts[longest_code + 1] = {0}, next[longest_code + 1], code = 0;
    for (unsigned i = 0; i < codes; i++) counts[lengths[i]]++;
    for (unsigned length = 1; length <= longest_code; length++) {
        next[length] = code;
        code = (code + counts[length]) << 1;
    }
    if (code != 2u << longest_code) return 0;

    const unsigned first = 1u << first_bits, rest = 1u << (longest_code - first_bits);
    unsigned used = first;
    memset(table, 0, first * sizeof *table);
    for (unsigned symbol = 0; symbol < codes; symbol++) {
        const unsigned length = lengths[symbol];
        if (!length) continue;
        unsigned reversed = 0, bits = next[length]++;
        for (unsigned i = 0; i < length; i++, bits >>= 1) reversed = reversed << 1 | (bits & 1);
        const uint32_t it = entry(symbol, length);
        if (length <= first_bits) {
            for (unsigned i = reversed; i < first; i += 1u << length) table[i] = it;
        } else {
            uint32_t *link = &table[reversed & (first - 1)];
            if (!*link) {
                *link = is_link | used << 16;
                used += rest;
            }
            uint32_t *second = table + (*link >> 16);
            for (unsigned i = reversed >> first_bits; i < rest; i += 1u << (length - first_bits)) second[i] = it;
        }
    }
    return 1;
}

/* Joins bytes whose codes are looked up together: most of what is short text is one byte after the other. */
static void join_bytes(uint32_t *table) {
    /* What is joined comes after what it is joined to: the bits that follow are a smaller number. */
    for (unsigned i = (1u << length_bits) - 1; i > 0; i--) {
        uint32_t entry = table[i];
        if (!(entry & is_bytes)) continue;
        for (unsigned bytes = 2; bytes <= 3; bytes++) {
            const unsigned taken = entry & 31, next = table[i >> taken];
            if (!(next & is_bytes) || taken + (next & 31) > length_bits) break;
            entry = (entry & ~0x7fu) | (next & 0xff00) << 8 * (bytes - 1) | bytes << 5 | (taken + (next & 31));
        }
        table[i] = entry;
    }
}

/* Reads the header of a block, three bits of which have been looked at, and makes its tables; 0 for a damaged one. */
static int make_tables(struct tables *tables, const uint8_t *in, const uint8_t *end) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    struct bits bits = {in, end, 0, 0};
    fill_carefully(&bits);
    if (bits.count < 17) return 0;
    const unsigned lengths = (unsigned)low(bits.held >> 3, 5) + 257, distances = (unsigned)low(bits.held >> 8, 5) + 1;
    const unsigned described = (unsigned)low(bits.held >> 13, 4) + 4;
    if (lengths > length_codes || distances > distance_codes) return 0;
    drop(&bits, 17);

    uint8_t own[19] = {0}, all[length_codes + distance_codes];
    for (unsigned i = 0; i < described; i++) {
        fill_carefully(&bits);
        if (bits.count < 3) return 0;
        own[order[i]] = (uint8_t)low(bits.held, 3);
        drop(&bits, 3);
    }
    /* Codes of seven bits at most: canonical, as all of them. */
    uint8_t symbols[128] = {0}, sizes[128] = {0};
    unsigned code = 0;
    for (unsigned length = 1; length <= 7; length++, code <<= 1)
        for (unsigned symbol = 0; symbol < 19; symbol++) {
            if (own[symbol] != length) continue;
            if (code >= 1u << length) return 0;
            unsigned reversed = 0;
            for (unsigned i = 0; i < length; i++) reversed |= (code >> i & 1) << (length - 1 - i);
            for (unsigned i = reversed; i < 128; i += 1u << length) {
                symbols[i] = (uint8_t)symbol;
                sizes[i] = (uint8_t)length;
            }
            code++;
        }

    for (unsigned i = 0; i < lengths + distances;) {
        fill_carefully(&bits);
        const unsigned place = (unsigned)low(bits.held, 7), symbol = symbols[place], size = sizes[place];
        if (!size || size + 7 > bits.count) return 0;
        drop(&bits, size);
        if (symbol < 16) {
            all[i++] = (uint8_t)symbol;
            continue;
        }
        const unsigned extra = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
        unsigned times = (unsigned)low(bits.held, extra) + (symbol == 18 ? 11 : 3);
        drop(&bits, extra);
        if (times > lengths + distances - i || (symbol == 16 && i == 0)) return 0;
        const uint8_t value = symbol == 16 ? all[i - 1] : 0;
        while (times--) all[i++] = value;
    }
    if (!all[256] || !make_table(tables->lengths, length_bits, all, lengths, length_entry) ||
        !make_table(tables->distances, distance_bits, all + lengths, distances, distance_entry))
        return 0;
    join_bytes(tables->lengths);
    tables->header_bits = (size_t)(bits.in - in) * 8 - bits.count;
    memcpy(tables->header, in, (tables->header_bits + 7) / 8);
    return 1;
}

/* Whether a block begins with the header that the tables were made of. */
static int is_header_of(const struct tables *tables, const uint8_t *in, size_t count) {
    const size_t whole = tables->header_bits / 8;
    if (!tables->header_bits || count <= whole || memcmp(in, tables->header, whole)) return 0;
    return !((in[whole] ^ tables->header[whole]) & ((1u << tables->header_bits % 8) - 1));
}

/* The tables of the block that begins at `in`, kept or new; NULL for a damaged header. */
static const struct tables *tables_of(cinflate_tables *all, const uint8_t *in, const uint8_t *end) {
    for (unsigned i = 0; i < kept_tables; i++) {
        const unsigned place = (all->latest + i) % kept_tables;
        if (!is_header_of(&all->kept[place], in, (size_t)(end - in))) continue;
        all->latest = place;
        return &all->kept[place];
    }
    struct tables *tables = &all->kept[all->oldest];
    tables->header_bits = 0;
    if (!make_tables(tables, in, end)) return NULL;
    all->latest = all->oldest;
    all->oldest = (all->oldest + 1) % kept_tables;
    return tables;
}

/* --- Decompression --- */

/* What the next bits are by a table. */
static inline uint32_t look_up(const uint32_t *table, unsigned first_bits, uint64_t held) {
    const uint32_t entry = table[low(held, first_bits)];
    if (entry & is_bytes || !(entry & is_link)) return entry;
    return table[(entry >> 16) + low(held >> first_bits, longest_code - first_bits)];
}

/* The least length or distance of an entry and what is added to it. */
static inline unsigned amount(uint32_t entry, uint64_t held) {
    return (entry >> 16) + (unsigned)(low(held, entry & 31) >> (entry >> 8 & 15));
}

/* Copies what is `distance` back; up to 15 bytes more may be written. */
static inline void copy(uint8_t *out, unsigned distance, unsigned length) {
    const uint8_t *from = out - distance, *const end = out + length;
    if (distance >= 16) {
        do {
            memcpy(out, from, 16);
            out += 16, from += 16;
        } while (out < end);
    } else if (distance >= 8) {
        do {
            memcpy(out, from, 8);
            out += 8, from += 8;
        } while (out < end);
    } else if (distance == 1) {
        memset(out, *from, length);
    } else {
        do *out++ = *from++;
        while (out < end);
    }
}

/* What one step may read and write at most, with what is written beyond. */
enum { most_read = 16, most_written = 9 + 258 + 15 };

size_t cinflate_one_block(
    cinflate_tables *all, const uint8_t *in, size_t in_count, uint8_t *out, size_t out_count) {
    if (in_count < 3 || (in[0] & 0x0f) != 8 || in[0] >> 4 > 7 || (in[0] << 8 | in[1]) % 31 || in[1] & 0x20) return 0;
    /* A last block with dynamic tables. */
    if ((in[2] & 7) != 5) return 0;
    const uint8_t *const end = in + in_count;
    const struct tables *const tables = tables_of(all, in + 2, end);
    if (!tables) return 0;

    struct bits bits = {in + 2 + tables->header_bits / 8, end, 0, 0};
    uint8_t *next = out, *const out_end = out + out_count;
    fill_carefully(&bits);
    if (bits.count < tables->header_bits % 8) return 0;
    drop(&bits, tables->header_bits % 8);

    if (end - bits.in >= most_read && out_end - next >= most_written) {
        fill(&bits);
        uint32_t entry = look_up(tables->lengths, length_bits, bits.held);
        do {
            /* Three codes and one to look up have 60 bits at most: all 64 that are held are the stream's. */
            for (int i = 0; i < 3 && entry & is_bytes; i++) {
                const uint32_t bytes = entry >> 8;
                memcpy(next, &bytes, 4);
                next += entry >> 5 & 3;
                drop(&bits, entry & 31);
                entry = look_up(tables->lengths, length_bits, bits.held);
            }
            fill(&bits);
            if (entry & is_bytes) continue;
            if (entry & is_end) break;
            const unsigned length = amount(entry, bits.held);
            drop(&bits, entry & 31);
            entry = look_up(tables->distances, distance_bits, bits.held);
            const unsigned distance = amount(entry, bits.held);
            drop(&bits, entry & 31);
            if (distance > (size_t)(next - out)) return 0;
            fill(&bits);
            entry = look_up(tables->lengths, length_bits, bits.held);
            copy(next, distance, length);
            next += length;
        } while (end - bits.in >= most_read && out_end - next >= most_written);
    }

    for (;;) {
        fill_carefully(&bits);
        uint32_t entry = look_up(tables->lengths, length_bits, bits.held);
        const unsigned taken = entry & 31;
        if (taken > bits.count) return 0;
        if (entry & is_bytes) {
            const unsigned count = entry >> 5 & 3;
            if (count > (size_t)(out_end - next)) return 0;
            for (unsigned i = 0; i < count; i++) *next++ = (uint8_t)(entry >> (8 + 8 * i));
            drop(&bits, taken);
            continue;
        }
        const unsigned length = amount(entry, bits.held);
        drop(&bits, taken);
        if (entry & is_end) break;
        entry = look_up(tables->distances, distance_bits, bits.held);
        const unsigned distance = amount(entry, bits.held);
        if ((entry & 31) > bits.count || distance > (size_t)(next - out) || length > (size_t)(out_end - next)) return 0;
        drop(&bits, entry & 31);
        for (unsigned i = 0; i < length; i++, next++) *next = *(next - distance);
    }
    if (next != out_end) return 0;
    /* Whole bytes that were held are not of the block. */
    return (size_t)(bits.in - in) - bits.count / 8;
}
