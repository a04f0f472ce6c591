// Replies of Redis: how a stream is cut must change neither what is read nor whether it is refused;
// what is held is bounded; a command that is written is read again.
#include "base/limits.hpp"
#include "bus/redis/resp.hpp"

#include <cstdlib>
#include <string>

namespace {

using dyad::bus::Reply;

void require(bool condition) {
    if (!condition) std::abort();
}

std::size_t elements_of(const Reply& reply, std::int64_t depth) {
    require(depth <= dyad::limits::redis_reply_depth_max);
    require(!reply.cut || reply.text.empty());
    std::size_t count = reply.elements.size();
    for (const Reply& one : reply.elements)
        count += elements_of(one, depth + 1);
    return count;
}

struct Read {
    std::vector<Reply> replies;
    bool refused = false;
    bool operator==(const Read&) const = default;
};

Read read(std::string_view stream, std::size_t step) {
    dyad::bus::ReplyReader reader;
    Read out;
    for (; !stream.empty() && !out.refused; stream.remove_prefix(std::min(step, stream.size())))
        out.refused = !reader.feed(stream.substr(0, step), [&](Reply&& reply) {
            require(elements_of(reply, 0) <=
                    static_cast<std::size_t>(dyad::limits::redis_reply_elements_max));
            out.replies.push_back(std::move(reply));
        });
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = bytes[0] + 1U;
    const std::string_view stream(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const Read whole = read(stream, size);
    require(read(stream, 1) == whole);
    require(read(stream, step) == whole);
    std::string command;
    dyad::bus::append_command(command, {"PUBLISH", stream});
    const Read again = read(command, step);
    require(!again.refused && again.replies.size() == 1 &&
            again.replies[0].elements[1].text == stream);
    return 0;
}
