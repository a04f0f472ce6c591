// Frames: how a stream is cut must change neither the calls nor the error; what was read can be
// written and read again.
#include "base/utf8.hpp"
#include "net/websocket.hpp"

#include <cstdlib>
#include <string>

namespace {

using dyad::net::FrameReader;
using dyad::net::Opcode;

void require(bool condition) {
    if (!condition) std::abort();
}

struct Calls : dyad::net::FrameHandler {
    std::string log;
    bool over = false;

    bool add(char kind, std::string_view payload) {
        log += kind;
        log += std::to_string(payload.size());
        log += ':';
        log.append(payload);
        return true;
    }
    bool on_message(Opcode opcode, std::string_view payload) override {
        if (opcode == Opcode::text) require(dyad::valid_utf8(payload));
        std::string written;
        dyad::net::append_masked_frame(written, opcode, payload, 0x1d2c3b4aU);
        struct Same : Calls {
            bool on_message(Opcode, std::string_view again) override { return add('m', again); }
        } same;
        FrameReader reader;
        require(reader.feed(written, same) == nullptr && !reader.in_message());
        require(same.log == "m" + std::to_string(payload.size()) + ":" + std::string(payload));
        return add(opcode == Opcode::text ? 't' : 'b', payload);
    }
    bool on_ping(std::string_view payload) override { return add('i', payload); }
    bool on_pong(std::string_view payload) override { return add('o', payload); }
    bool on_close(std::uint16_t code, std::string_view reason) override {
        require(dyad::valid_utf8(reason));
        over = true;
        return add('c', std::to_string(code) + std::string(reason));
    }
};

std::string read(std::string stream, FrameReader::Role role, std::size_t step) {
    FrameReader reader(role);
    Calls calls;
    for (std::size_t at = 0; at < stream.size() && !calls.over; at += step) {
        const auto error =
            reader.feed(std::span(stream).subspan(at, std::min(step, stream.size() - at)), calls);
        if (error) return calls.log + "!" + std::to_string(error->close_code);
    }
    return calls.log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const auto role = bytes[0] & 1 ? FrameReader::Role::client : FrameReader::Role::server;
    const std::size_t step = (bytes[0] >> 1) + 1U;
    const std::string stream(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const std::string whole = read(stream, role, size);
    require(read(stream, role, 1) == whole);
    require(read(stream, role, step) == whole);
    return 0;
}
