#include "bus/redis/node_message.hpp"

#include "base/limits.hpp"
#include "base/overloaded.hpp"
#include "base/sha256.hpp"

namespace dyad::bus {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMacBytes = 32;

enum class Part : std::uint8_t { announcement = 1, hint, presence, heartbeat, session_note };

Hash mac_of(std::string_view secret, std::string_view channel, std::string_view head,
            std::string_view parts) {
    return hmac_sha256(secret, {"dyad-message-1:", channel, ":", head, parts});
}

void put_text(std::string& out, std::string_view text) {
    put_le(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
}

bool take_text(std::string_view& in, std::int64_t bytes_max, std::string& out) {
    const auto size = take_le<std::uint32_t>(in);
    if (!size || *size > bytes_max) return false;
    const auto bytes = take_bytes(in, *size);
    if (bytes) out = *bytes;
    return bytes.has_value();
}

template <class T, class Out>
bool take_into(std::string_view& in, Out& out) {
    const auto value = take_le<T>(in);
    if (value) out = static_cast<Out>(*value);
    return value.has_value();
}

void put(std::string& out, const PresenceReport& report) {
    put_le(out, report.node);
    put_le(out, report.serial);
    put_le(out, static_cast<std::uint8_t>(report.asks));
    put_le(out, std::uint64_t{report.sessions});
    put_le(out, static_cast<std::uint32_t>(report.instances.size()));
    for (const Presence& one : report.instances) {
        put_text(out, one.instance_id);
        put_le(out, std::uint64_t{one.connections});
        put_le(out, one.connected_at_ms);
        put_le(out, one.last_seen_ms);
    }
}

bool take(std::string_view in, PresenceReport& report) {
    std::uint32_t count = 0;
    if (!take_into<std::uint64_t>(in, report.node) ||
        !take_into<std::uint64_t>(in, report.serial) || !take_into<std::uint8_t>(in, report.asks) ||
        !take_into<std::uint64_t>(in, report.sessions) || !take_into<std::uint32_t>(in, count))
        return false;
    for (; count > 0; --count) {
        Presence& one = report.instances.emplace_back();
        if (!take_text(in, limits::instance_id_bytes_max, one.instance_id) ||
            !take_into<std::uint64_t>(in, one.connections) ||
            !take_into<std::int64_t>(in, one.connected_at_ms) ||
            !take_into<std::int64_t>(in, one.last_seen_ms))
            return false;
    }
    return in.empty();
}

void put(std::string& out, const Heartbeat& beat) {
    put_le(out, beat.node);
    put_text(out, beat.server);
    put_le(out, std::uint64_t{beat.clients});
    put_le(out, static_cast<std::uint32_t>(beat.heads.size()));
    for (const auto& [user, position] : beat.heads) {
        put_text(out, user);
        put_le(out, position.epoch);
        put_le(out, position.offset);
        put_le(out, position.hash);
    }
}

bool take(std::string_view in, Heartbeat& beat) {
    std::uint32_t count = 0;
    if (!take_into<std::uint64_t>(in, beat.node) ||
        !take_text(in, limits::instance_id_bytes_max, beat.server) ||
        !take_into<std::uint64_t>(in, beat.clients) || !take_into<std::uint32_t>(in, count))
        return false;
    for (; count > 0; --count) {
        auto& [user, position] = beat.heads.emplace_back();
        if (!take_text(in, limits::user_id_bytes_max, user) ||
            !take_into<std::uint64_t>(in, position.epoch) ||
            !take_into<std::uint64_t>(in, position.offset))
            return false;
        const auto hash = take_le<std::array<std::uint8_t, 8>>(in);
        if (!hash) return false;
        position.hash = *hash;
    }
    return in.empty();
}

void put(std::string& out, const SessionNote& note) {
    put_text(out, note.server);
    put_le(out, note.node);
    put_le(out, note.serial);
    put_le(out, static_cast<std::uint8_t>(note.topic));
    put_text(out, note.user);
    put_text(out, note.session);
    put_le(out, static_cast<std::uint32_t>(note.entries.size()));
    for (const auto& [text, number] : note.entries) {
        put_text(out, text);
        put_le(out, number);
    }
}

bool take(std::string_view in, SessionNote& note) {
    std::uint32_t count = 0;
    if (!take_text(in, limits::instance_id_bytes_max, note.server) ||
        !take_into<std::uint64_t>(in, note.node) || !take_into<std::uint64_t>(in, note.serial) ||
        !take_into<std::uint8_t>(in, note.topic) ||
        !take_text(in, limits::user_id_bytes_max, note.user) ||
        !take_text(in, limits::bus_message_bytes_max, note.session) ||
        !take_into<std::uint32_t>(in, count) || count > limits::session_note_entries_max)
        return false;
    for (; count > 0; --count) {
        auto& [text, number] = note.entries.emplace_back();
        if (!take_text(in, limits::bus_message_bytes_max, text) ||
            !take_into<std::uint64_t>(in, number))
            return false;
    }
    return in.empty();
}

// What is of a user stands on the user's channel, and the rest has one for each kind.
bool belongs(Part kind, std::string_view channel) {
    if (kind == Part::heartbeat) return channel == kNodesChannel;
    if (kind == Part::session_note) return channel == kSessionsChannel;
    return channel != kNodesChannel && channel != kSessionsChannel;
}

Result<BusMessage> take_message(Part kind, std::string_view bytes, std::string_view channel,
                                std::string_view user_id) {
    if (!belongs(kind, channel))
        return fail(Errc::invalid_field, "a part of a message that has no place on its channel");
    switch (kind) {
        case Part::announcement: {
            ASSIGN_OR_RETURN(EventBatch batch, decode_batch(bytes));
            if (batch.empty()) break;
            return BusMessage(Announcement{std::string(user_id),
                                           std::make_shared<const EventBatch>(std::move(batch))});
        }
        case Part::hint:
            return BusMessage(Hint{std::string(user_id)});
        case Part::presence: {
            PresenceReport report{.user_id = std::string(user_id)};
            if (!take(bytes, report)) break;
            return BusMessage(std::move(report));
        }
        case Part::heartbeat: {
            Heartbeat beat;
            if (!take(bytes, beat)) break;
            return BusMessage(std::move(beat));
        }
        case Part::session_note: {
            SessionNote note;
            if (!take(bytes, note)) break;
            return BusMessage(std::move(note));
        }
    }
    return fail(Errc::invalid_field, "a part of a message that is not understood");
}

}  // namespace

std::string log_channel(std::string_view secret, std::string_view user_id) {
    const Hash digest = hmac_sha256(secret, {"dyad-channel-1:", user_id});
    return "dyad:log:" + to_hex(std::span(digest).first(16));
}

void append_part(std::string& parts, const BusMessage& message) {
    const std::size_t begin = parts.size();
    const auto open = [&parts](Part kind) {
        put_le(parts, static_cast<std::uint8_t>(kind));
        put_le(parts, std::uint32_t{0});
    };
    std::visit(Overloaded{
                   [&](const Announcement& one) {
                       open(Part::announcement);
                       encode_batch(*one.batch, parts);
                   },
                   [&](const Hint&) { open(Part::hint); },
                   [&](const PresenceReport& one) {
                       open(Part::presence);
                       put(parts, one);
                   },
                   [&](const Heartbeat& one) {
                       open(Part::heartbeat);
                       put(parts, one);
                   },
                   [&](const SessionNote& one) {
                       open(Part::session_note);
                       put(parts, one);
                   },
                   [](const Foreign&) { CHECK(false); },
               },
               message);
    const auto size = static_cast<std::uint32_t>(parts.size() - begin - 5);
    std::memcpy(parts.data() + begin + 1, &size, sizeof size);
}

std::string sign(std::string_view secret, std::string_view channel, NodeId sender,
                 std::string_view parts) {
    std::string message;
    message.reserve(kMessageHeadBytes + parts.size());
    put_le(message, kVersion);
    put_le(message, sender);
    message.append(view(mac_of(secret, channel, message, parts)));
    message.append(parts);
    return message;
}

std::optional<NodeId> sender_of(std::string_view text) {
    if (take_le<std::uint8_t>(text) != kVersion) return std::nullopt;
    return take_le<NodeId>(text);
}

Result<std::vector<BusMessage>> read_node_message(std::string_view secret, std::string_view channel,
                                                  std::string_view user_id, std::string_view text) {
    if (!sender_of(text) || text.size() <= kMessageHeadBytes)
        return fail(Errc::invalid_field, "this is no message of a node, or one of another version");
    const std::string_view head = text.substr(0, kMessageHeadBytes - kMacBytes);
    std::string_view parts = text.substr(kMessageHeadBytes);
    if (!same_secretly(view(mac_of(secret, channel, head, parts)),
                       text.substr(head.size(), kMacBytes)))
        return fail(Errc::invalid_field, "it is not signed by a node of this store");
    std::vector<BusMessage> messages;
    while (!parts.empty()) {
        const auto kind = take_le<std::uint8_t>(parts);
        const auto size = take_le<std::uint32_t>(parts);
        const auto bytes = size ? take_bytes(parts, *size) : std::nullopt;
        if (!bytes) return fail(Errc::invalid_field, "a message of a node is cut short");
        ASSIGN_OR_RETURN(BusMessage message,
                         take_message(static_cast<Part>(*kind), *bytes, channel, user_id));
        messages.push_back(std::move(message));
    }
    return messages;
}

}  // namespace dyad::bus
