#include "load/scanner.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace dyad::bench {
namespace {

// A server's frame: 1-, 2- or 8-byte lengths as the protocol wants them.
std::string frame(std::string_view payload, char opcode = 1) {
    std::string out(1, static_cast<char>(0x80 | opcode));
    if (payload.size() < 126) {
        out += static_cast<char>(payload.size());
    } else if (payload.size() < 65536) {
        out += static_cast<char>(126);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 255);
    } else {
        out += static_cast<char>(127);
        for (int shift = 56; shift >= 0; shift -= 8)
            out += static_cast<char>(payload.size() >> shift & 255);
    }
    return out.append(payload);
}

struct Stream {
    Deframer deframer;
    MarkerScanner scanner;
    std::uint64_t frames = 0;
    std::vector<std::uint32_t> numbers;
    std::vector<std::uint64_t> times;

    bool feed(std::string_view bytes, std::size_t skip = 0) {
        return deframer.feed(bytes, frames, [&](std::string_view payload) {
            scanner.feed(payload, skip, [&](Marker marker) {
                numbers.push_back(marker.number);
                times.push_back(marker.written_ns);
            });
        });
    }
};

TEST(MarkerScanner, FindsEveryMarkerWhereverTheStreamIsCut) {
    const std::string first = marker_text({.written_ns = 0xfedcba9876543210, .number = 7});
    const std::string second = marker_text({.written_ns = 1, .number = 0xffffffff});
    const std::string text = frame("{\"k\":\"" + first + "\",\"tilde\":\"a~b ~~ \"}") +
                             frame("", 9) + frame("~" + second + std::string(300, '~'));
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        Stream stream;
        EXPECT_TRUE(stream.feed(std::string_view(text).substr(0, cut)));
        EXPECT_TRUE(stream.feed(std::string_view(text).substr(cut)));
        EXPECT_EQ(stream.numbers, (std::vector<std::uint32_t>{7, 0xffffffff})) << "cut at " << cut;
        EXPECT_EQ(stream.times, (std::vector<std::uint64_t>{0xfedcba9876543210, 1}));
        EXPECT_EQ(stream.frames, 3U);
    }
}

TEST(MarkerScanner, FindsMarkersByteByByteAndBehindWhatItSkips) {
    const std::string marker = marker_text({.written_ns = 5, .number = 1});
    const std::string text = frame(marker + std::string(40, '~') + marker);
    Stream stream;
    for (const char byte : text)
        stream.feed(std::string_view(&byte, 1), 40);
    EXPECT_EQ(stream.numbers.size(), 2U);
}

TEST(Deframer, TakesLongFramesAndSeesTheClose) {
    Stream stream;
    const std::string marker = marker_text({.written_ns = 5, .number = 1});
    EXPECT_TRUE(stream.feed(frame(std::string(70'000, 'x') + marker)));
    EXPECT_EQ(stream.numbers.size(), 1U);
    EXPECT_FALSE(stream.feed(frame("\x03\xe8", Deframer::kClose)));
}

}  // namespace
}  // namespace dyad::bench
