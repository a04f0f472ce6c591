// RFC 6455 section 5, rule by rule, and that it does not matter how the bytes are cut.
#include "net/websocket.hpp"

#include "base/limits.hpp"
#include "base/utf8.hpp"

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dyad::net {
namespace {

using namespace std::string_literals;
using Role = FrameReader::Role;

// What a reader made of a stream: one line per call.
struct Log : FrameHandler {
    std::vector<std::string> calls;
    std::size_t stop_after = SIZE_MAX;

    bool add(std::string call) {
        calls.push_back(std::move(call));
        return calls.size() < stop_after;
    }
    bool on_message(Opcode opcode, std::string_view payload) override {
        return add((opcode == Opcode::text ? "text " : "binary ") + std::string(payload));
    }
    bool on_ping(std::string_view payload) override { return add("ping " + std::string(payload)); }
    bool on_pong(std::string_view payload) override { return add("pong " + std::string(payload)); }
    bool on_close(std::uint16_t code, std::string_view reason) override {
        return add("close " + std::to_string(code) + " " + std::string(reason));
    }
};

// Reads the stream in pieces of `step` bytes; an error is the last line.
std::vector<std::string> read(std::string stream, std::size_t step, Role role = Role::server) {
    FrameReader reader(role);
    Log log;
    for (std::size_t at = 0; at < stream.size(); at += step) {
        const std::size_t size = std::min(step, stream.size() - at);
        const auto error = reader.feed(std::span(stream).subspan(at, size), log);
        if (error) {
            log.calls.push_back("error " + std::to_string(error->close_code));
            break;
        }
        if (!log.calls.empty() && log.calls.back().starts_with("close")) break;
    }
    return log.calls;
}

using Calls = std::vector<std::string>;

// The same calls however the stream is cut in two, or into single bytes.
void expect_calls(const std::string& stream, const Calls& calls, Role role = Role::server) {
    EXPECT_EQ(read(stream, std::max<std::size_t>(stream.size(), 1), role), calls);
    EXPECT_EQ(read(stream, 1, role), calls) << "byte by byte";
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
        FrameReader reader(role);
        Log log;
        std::string copy = stream;
        auto error = reader.feed(std::span(copy).first(cut), log);
        const bool over = !log.calls.empty() && log.calls.back().starts_with("close");
        if (!error && !over) error = reader.feed(std::span(copy).subspan(cut), log);
        if (error) log.calls.push_back("error " + std::to_string(error->close_code));
        ASSERT_EQ(log.calls, calls) << "cut at " << cut;
    }
}

// A frame with any first byte, length field and mask bit.
std::string raw_frame(unsigned first, std::string_view payload, bool masked = true,
                      unsigned length_bytes = 0) {
    std::string out(1, static_cast<char>(first));
    const unsigned mask_bit = masked ? 0x80 : 0;
    const std::size_t size = payload.size();
    if (length_bytes == 0) length_bytes = size < 126 ? 1 : size < 65536 ? 2 : 8;
    if (length_bytes == 1) out += static_cast<char>(mask_bit | size);
    if (length_bytes == 2) out += static_cast<char>(mask_bit | 126);
    if (length_bytes == 8) out += static_cast<char>(mask_bit | 127);
    for (unsigned i = length_bytes; length_bytes > 1 && i > 0; --i)
        out += static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * (i - 1)));
    const char key[4] = {'\x37', '\xfa', '\x21', '\x3d'};
    if (masked) out.append(key, 4);
    for (std::size_t i = 0; i < size; ++i)
        out += masked ? static_cast<char>(payload[i] ^ key[i & 3]) : payload[i];
    return out;
}
std::string fin(Opcode opcode, std::string_view payload) {
    return raw_frame(0x80U | static_cast<unsigned>(opcode), payload);
}
std::string part(Opcode opcode, std::string_view payload) {
    return raw_frame(static_cast<unsigned>(opcode), payload);
}
std::string close_with(unsigned code, std::string_view reason = "") {
    return std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + std::string(reason);
}

TEST(FrameReader, ReadsTheExampleOfTheStandard) {
    expect_calls("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s, {"text Hello"});
    expect_calls("\x81\x05\x48\x65\x6c\x6c\x6f"s, {"text Hello"}, Role::client);
    expect_calls("\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f"s, {"text Hello"}, Role::client);
}

TEST(FrameReader, ReadsMessagesInOrder) {
    expect_calls(fin(Opcode::text, "a") + fin(Opcode::binary, "\xff\x00"s) + fin(Opcode::text, "") +
                     fin(Opcode::ping, "p") + fin(Opcode::pong, "") + fin(Opcode::text, "\xc3\xa9"),
                 {"text a", "binary \xff\x00"s, "text ", "ping p", "pong ", "text \xc3\xa9"});
}

TEST(FrameReader, JoinsFragmentsWithControlFramesBetween) {
    expect_calls(part(Opcode::text, "a") + fin(Opcode::ping, "1") + part(Opcode::continuation, "") +
                     part(Opcode::continuation, "b") + fin(Opcode::pong, "2") +
                     fin(Opcode::continuation, "c") + fin(Opcode::text, "d"),
                 {"ping 1", "pong 2", "text abc", "text d"});
}

TEST(FrameReader, EveryLengthComesThrough) {
    for (const std::size_t size :
         {0,   1,   2,   3,   4,   5,    7,     8,     9,     15,    16,     17,
          124, 125, 126, 127, 128, 1000, 65534, 65535, 65536, 65537, 200'000}) {
        std::string payload(size, '\0');
        for (std::size_t i = 0; i < size; ++i)
            payload[i] = static_cast<char>('a' + i % 23);
        const std::string stream = fin(Opcode::text, payload);
        for (const std::size_t step : {std::size_t{1}, std::size_t{13}, std::size_t{4096}})
            EXPECT_EQ(read(stream, step), Calls{"text " + payload}) << size << " by " << step;
        EXPECT_EQ(read(stream, stream.size()), Calls{"text " + payload}) << size;
    }
}

TEST(FrameReader, RefusesReservedBits) {
    for (const unsigned bit : {0x40U, 0x20U, 0x10U}) {
        expect_calls(raw_frame(0x81 | bit, "a"), {"error 1002"});
        expect_calls(raw_frame(0x89 | bit, ""), {"error 1002"});
    }
}

TEST(FrameReader, RefusesUnknownOpcodes) {
    for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U})
        expect_calls(raw_frame(0x80 | opcode, "a"), {"error 1002"});
}

TEST(FrameReader, DemandsMasksOfClientsAndRefusesThemFromServers) {
    expect_calls(raw_frame(0x81, "a", false), {"error 1002"});
    expect_calls(raw_frame(0x89, "", false), {"error 1002"});
    expect_calls(raw_frame(0x81, "a", true), {"error 1002"}, Role::client);
    expect_calls(raw_frame(0x81, "a", false), {"text a"}, Role::client);
}

TEST(FrameReader, RefusesFragmentedAndLongControlFrames) {
    for (const Opcode opcode : {Opcode::close, Opcode::ping, Opcode::pong})
        expect_calls(part(opcode, ""), {"error 1002"});
    expect_calls(fin(Opcode::ping, std::string(126, 'x')), {"error 1002"});
    expect_calls(fin(Opcode::ping, std::string(125, 'x')), {"ping " + std::string(125, 'x')});
}

TEST(FrameReader, RefusesLengthsThatAreNotInTheirShortestForm) {
    expect_calls(raw_frame(0x82, std::string(125, 'x'), true, 2), {"error 1002"});
    expect_calls(raw_frame(0x82, "", true, 2), {"error 1002"});
    expect_calls(raw_frame(0x82, std::string(125, 'x'), true, 8), {"error 1002"});
    EXPECT_EQ(read(raw_frame(0x82, std::string(65535, 'x'), true, 8), 1000), Calls{"error 1002"});
    EXPECT_EQ(read("\x82\xff\x80\0\0\0\0\0\0\0"s, 100), Calls{"error 1002"});
}

TEST(FrameReader, RefusesContinuationsWithoutAMessageAndMessagesInsideAnother) {
    expect_calls(fin(Opcode::continuation, "a"), {"error 1002"});
    expect_calls(part(Opcode::continuation, "a"), {"error 1002"});
    expect_calls(part(Opcode::text, "a") + fin(Opcode::text, "b"), {"error 1002"});
    expect_calls(part(Opcode::text, "a") + part(Opcode::binary, "b"), {"error 1002"});
    expect_calls(fin(Opcode::text, "a") + fin(Opcode::continuation, "b"), {"text a", "error 1002"});
}

TEST(FrameReader, TakesAMessageOfExactlyTheLimit) {
    const auto max = static_cast<std::size_t>(limits::frame_bytes_max);
    const std::string whole(max, 'm');
    EXPECT_EQ(read(fin(Opcode::text, whole), 65536), Calls{"text " + whole});
    EXPECT_EQ(read(fin(Opcode::text, whole + "m"), 65536), Calls{"error 1009"});
    const std::string most(max - 1, 'm');
    EXPECT_EQ(read(part(Opcode::text, most) + fin(Opcode::continuation, "m"), 65536),
              Calls{"text " + whole});
    EXPECT_EQ(read(part(Opcode::text, most) + fin(Opcode::continuation, "mm"), 65536),
              Calls{"error 1009"});
}

TEST(FrameReader, RefusesALargeFrameByItsHeader) {
    EXPECT_EQ(read("\x82\xff\0\0\0\0\0\x10\0\x01"s, 100), Calls{"error 1009"});
    EXPECT_EQ(read("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"s, 100), Calls{"error 1009"});
}

TEST(FrameReader, LimitsTheFragmentsOfAMessage) {
    std::string stream = part(Opcode::binary, "x");
    for (std::int64_t i = 2; i < limits::frame_fragments_max; ++i)
        stream += part(Opcode::continuation, "x");
    const std::string message(static_cast<std::size_t>(limits::frame_fragments_max), 'x');
    EXPECT_EQ(read(stream + fin(Opcode::continuation, "x"), 100), Calls{"binary " + message});
    EXPECT_EQ(read(stream + part(Opcode::continuation, "x") + fin(Opcode::continuation, "x"), 100),
              Calls{"error 1009"});
    EXPECT_EQ(read(stream + part(Opcode::continuation, "") + fin(Opcode::continuation, ""), 100),
              Calls{"error 1009"});
}

TEST(FrameReader, ReadsCloseFrames) {
    expect_calls(fin(Opcode::close, ""), {"close 1005 "});
    for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U,
                                1012U, 1013U, 1014U, 3000U, 3999U, 4000U, 4999U})
        expect_calls(fin(Opcode::close, close_with(code, "why")),
                     {"close " + std::to_string(code) + " why"});
}

TEST(FrameReader, RefusesCloseCodesThatMustNotBeSent) {
    for (const unsigned code :
         {0U, 1U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U, 5000U, 65535U})
        expect_calls(fin(Opcode::close, close_with(code)), {"error 1002"});
    expect_calls(fin(Opcode::close, "\x03"), {"error 1002"});
    expect_calls(fin(Opcode::close, close_with(1000, "\xff")), {"error 1007"});
    expect_calls(fin(Opcode::close, close_with(1000, "\xc3")), {"error 1007"});
}

TEST(FrameReader, NothingAfterACloseFrameCounts) {
    expect_calls(fin(Opcode::close, "") + fin(Opcode::text, "late"), {"close 1005 "});
}

TEST(FrameReader, StopsWhenItsHandlerSaysSo) {
    FrameReader reader;
    Log log;
    log.stop_after = 1;
    std::string stream = fin(Opcode::text, "a") + fin(Opcode::text, "b");
    EXPECT_EQ(reader.feed(stream, log), nullptr);
    EXPECT_EQ(log.calls, Calls{"text a"});
}

struct Utf8Case {
    std::string text;
    bool good;
};

const std::vector<Utf8Case>& utf8_cases() {
    static const std::vector<Utf8Case> cases{
        {"", true},
        {"plain", true},
        {"\0"s, true},
        {"\x7f", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", true},
        {"12345678\xc3\xa9"
         "12345678",
         true},
        {"\x80", false},
        {"\xbf", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xc2", false},
        {"\xc2\x41", false},
        {"\xc3\xc3", false},
        {"\xe0\x80\x80", false},
        {"\xe0\x9f\xbf", false},
        {"\xe1\x80", false},
        {"\xed\xa0\x80", false},
        {"\xed\xbf\xbf", false},
        {"\xf0\x80\x80\x80", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf0\x90\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xfe", false},
        {"\xff", false},
        {"12345678\xff"
         "12345678",
         false},
        {"1234567\xe2\x82", false},
    };
    return cases;
}

TEST(ValidUtf8, KnowsGoodTextAtEveryPositionInAWord) {
    for (const auto& [text, good] : utf8_cases())
        for (std::size_t before = 0; before < 17; ++before)
            for (std::size_t after : {0, 1, 8, 15}) {
                const std::string whole = std::string(before, 'x') + text + std::string(after, 'y');
                EXPECT_EQ(valid_utf8(whole), good) << testing::PrintToString(whole);
            }
}

TEST(FrameReader, JudgesTextHoweverItsFragmentsCutCharacters) {
    for (const auto& [text, good] : utf8_cases()) {
        const Calls calls{good ? "text " + text : "error 1007"};
        EXPECT_EQ(read(fin(Opcode::text, text), 1000), calls) << testing::PrintToString(text);
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            const std::string stream = part(Opcode::text, text.substr(0, cut)) +
                                       fin(Opcode::continuation, text.substr(cut));
            EXPECT_EQ(read(stream, 1000), calls) << testing::PrintToString(text) << " at " << cut;
        }
        std::string single = part(Opcode::text, "");
        for (const char c : text)
            single += part(Opcode::continuation, std::string(1, c));
        EXPECT_EQ(read(single + fin(Opcode::continuation, ""), 1000), calls);
    }
}

TEST(FrameReader, RefusesBadTextBeforeItsMessageEnds) {
    EXPECT_EQ(read(part(Opcode::text, "good\xff"), 1000), Calls{"error 1007"});
    EXPECT_EQ(read(part(Opcode::text, "\xe2\x82") + part(Opcode::continuation, "A"), 1000),
              Calls{"error 1007"});
    EXPECT_EQ(read(part(Opcode::text, "\xe2\x82"), 1000), Calls{});
}

TEST(FrameReader, BinaryIsNotJudgedAsText) {
    expect_calls(fin(Opcode::binary, "\xff\xfe"), {"binary \xff\xfe"});
}

TEST(FrameReader, HoldsMemoryOnlyWhileAMessageIsIncomplete) {
    EXPECT_LE(sizeof(FrameReader), 24U);
    FrameReader reader;
    Log log;
    std::string stream = part(Opcode::text, "a") + fin(Opcode::continuation, "b");
    EXPECT_FALSE(reader.in_message());
    for (std::size_t i = 0; i < stream.size(); ++i) {
        EXPECT_EQ(reader.feed(std::span(stream).subspan(i, 1), log), nullptr);
        EXPECT_EQ(reader.in_message(), i + 1 < stream.size()) << i;
    }
    std::string whole = fin(Opcode::text, "c");
    EXPECT_EQ(reader.feed(whole, log), nullptr);
    EXPECT_FALSE(reader.in_message());
}

TEST(FrameReader, AMessageInOnePieceIsReadWhereItIs) {
    struct Where : Log {
        const char* at = nullptr;
        bool on_message(Opcode, std::string_view payload) override {
            at = payload.data();
            return true;
        }
    } where;
    FrameReader reader;
    std::string stream = fin(Opcode::text, "in place");
    ASSERT_EQ(reader.feed(stream, where), nullptr);
    EXPECT_EQ(where.at, stream.data() + 6);
}

// Streams of random good frames, cut at random places.
TEST(FrameReader, RandomCutsDoNotMatter) {
    std::mt19937 random(20250101);
    const auto below = [&](std::size_t n) { return random() % n; };
    for (int round = 0; round < 300; ++round) {
        std::string stream;
        bool open = false;
        for (std::size_t i = below(8) + 1; i > 0; --i) {
            const std::string payload(below(300), static_cast<char>('a' + below(26)));
            const std::size_t kind = below(4);
            if (kind == 0) {
                stream += fin(Opcode::ping, payload.substr(0, 125));
            } else {
                const bool last = below(2) == 0;
                const Opcode opcode = open ? Opcode::continuation : Opcode::text;
                stream += last ? fin(opcode, payload) : part(opcode, payload);
                open = !last;
            }
        }
        const Calls whole = read(stream, stream.size());
        FrameReader reader;
        Log log;
        std::string copy = stream;
        for (std::size_t at = 0; at < copy.size();) {
            const std::size_t size = std::min(below(40) + 1, copy.size() - at);
            ASSERT_EQ(reader.feed(std::span(copy).subspan(at, size), log), nullptr);
            at += size;
        }
        ASSERT_EQ(log.calls, whole) << "round " << round;
    }
}

// ---- writing --------------------------------------------------------------------------------

TEST(WriteFrame, LengthsAreInTheirShortestForm) {
    const auto header = [](std::uint64_t size) {
        return std::string(frame_header(Opcode::text, size).view());
    };
    EXPECT_EQ(header(0), "\x81\0"s);
    EXPECT_EQ(header(125), "\x81\x7d"s);
    EXPECT_EQ(header(126), "\x81\x7e\x00\x7e"s);
    EXPECT_EQ(header(65535), "\x81\x7e\xff\xff"s);
    EXPECT_EQ(header(65536), "\x81\x7f\0\0\0\0\0\x01\0\0"s);
}

TEST(WriteFrame, FragmentsHaveTheirBits) {
    EXPECT_EQ(frame_header(Opcode::text, 5, false).view(), "\x01\x05"s);
    EXPECT_EQ(frame_header(Opcode::continuation, 5, false).view(), "\0\x05"s);
    EXPECT_EQ(frame_header(Opcode::continuation, 5).view(), "\x80\x05"s);
}

TEST(WriteFrame, WhatOneSideWritesTheOtherReads) {
    for (const std::size_t size : {0, 1, 3, 4, 9, 125, 126, 1000, 65535, 65536, 100'000}) {
        const std::string payload(size, 'q');
        std::string out;
        append_frame(out, Opcode::text, payload);
        EXPECT_EQ(read(out, 1000, Role::client), Calls{"text " + payload});
        std::string masked = "before";
        append_masked_frame(masked, Opcode::binary, payload, 0x9a3c51e7U);
        EXPECT_TRUE(masked.starts_with("before"));
        EXPECT_EQ(read(masked.substr(6), 1000), Calls{"binary " + payload});
        if (size > 8) {
            EXPECT_EQ(masked.find("qqqq"), std::string::npos);
        }
    }
}

TEST(ClosePayload, CutsTheReasonBetweenCharacters) {
    EXPECT_EQ(close_payload(1000, "bye"),
              "\x03\xe8"
              "bye"s);
    std::string reason(122, 'r');
    EXPECT_EQ(close_payload(4408, reason + "st").size(), 125U);
    EXPECT_EQ(close_payload(4408, reason + "\xc3\xa9"), close_payload(4408, reason));
    std::string frame;
    append_masked_frame(frame, Opcode::close, close_payload(4408, reason + "\xe2\x82\xac"), 1);
    EXPECT_EQ(read(frame, 1000), Calls{"close 4408 " + reason});
}

TEST(AcceptKey, AnswersAsTheStandardSays) {
    const Result<std::string> accept = accept_key("dGhlIHNhbXBsZSBub25jZQ==");
    ASSERT_TRUE(accept);
    EXPECT_EQ(*accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(AcceptKey, RefusesWhatIsNot16BytesInBase64) {
    for (const char* key :
         {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
          "dGhlIHNhbXBsZSBub25jZ!==", "dGhlIHNhbXBsZSBub25j==", "dGhlIHNhbXBsZSBub25jZQ= ",
          "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25jZ==="})
        EXPECT_FALSE(accept_key(key)) << key;
}

TEST(UpgradeResponse, NamesTheSubprotocolOnlyWhereThereIsOne) {
    EXPECT_EQ(upgrade_response("ACC", ""),
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: ACC\r\n\r\n");
    EXPECT_EQ(upgrade_response("ACC", "dyad.v2"),
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: ACC\r\nSec-WebSocket-Protocol: dyad.v2\r\n\r\n");
}

}  // namespace
}  // namespace dyad::net
