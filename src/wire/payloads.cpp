#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 6> kHello = {"protocol", "instanceId", "userId",
                                                    "resume",   "snapshot",   "client"};
// In the order of existing clients. The last two say again what the envelope says.
constexpr std::array<std::string_view, 10> kContextSync = {
    "contextKey", "contextType", "version",   "mergeStrategy", "data",
    "deleted",    "tags",        "expiresAt", "userId",        "instanceId"};
constexpr std::array<std::string_view, 8> kModeUpdate = {
    "currentMode",        "toMode", "previousMode", "fromMode", "configuration",
    "transitionDuration", "userId", "instanceId"};

// Null is nobody's.
bool take_same(Field& field, std::string_view expected) {
    const Taken<std::string_view> text = field.string();
    if (!text.value || expected.empty() || *text.value == expected) return text.good;
    return field.wrong("that of the connection; leave it out here");
}
bool take_from(std::size_t index, std::size_t of_user, Field& field, const From& from) {
    return take_same(field, index == of_user ? from.user_id : from.instance_id);
}

bool take_resume(Field& field, Hello& hello) {
    const Taken<std::string_view> text = field.string();
    if (!text.value) return text.good;
    // A token of another log, an older server or a damaged store of the client: the answer is a
    // reset, which the client must know how to take in any case.
    Result<Position> position = Position::parse(*text.value);
    if (position)
        hello.resume = *position;
    else
        hello.resume_refused = true;
    return true;
}

bool take_protocol(Field& field) {
    const Taken<std::int64_t> version = field.integer();
    return version.good && (version.value == 2 || field.wrong("2, which this server speaks"));
}

bool take_context_member(std::size_t index, Field& field, PutContext& context, bool& deleted) {
    switch (index) {
        case 0:
            return put(field.string(), context.key);
        case 1:
            return put_name(field, context.type, context_type_by_name, kContextTypes);
        case 2:
            // A clock in existing clients; any number is as good as another.
            return field.clock();
        case 3:
            return put_name(field, context.strategy, merge_strategy_by_name, kStrategies);
        case 4:
            return put_unless_null(field, context.data);
        case 5:
            return put(field.boolean(), deleted);
        case 6:
            return field.strings(context.tags);
        default: {
            const Taken<std::int64_t> time = field.time();
            context.expires_at_ms = time.value;
            return time.good;
        }
    }
}

// Both names of a mode, the clients' and that of what existing servers broadcast: the same one.
struct NamedModes {
    std::optional<Mode> to[2];
    // Where it comes from is in the log; what the client believes does not count.
    std::optional<std::string> from[2];
};

bool take_mode_member(std::size_t index, Field& field, SetMode& set, NamedModes& named) {
    switch (index) {
        case 0:
        case 1:
            return put_name(field, named.to[index], mode_by_any_name, kModes);
        case 2:
        case 3:
            return put_unless_null(field, named.from[index - 2]);
        case 4:
            return put_unless_null(field, set.configuration);
        default:
            return put(field.integer(), set.transition_duration_ms);
    }
}

}  // namespace

std::optional<Mode> mode_by_any_name(std::string_view name) {
    constexpr std::string_view kBlanks = " \t\r\n";
    name.remove_prefix(std::min(name.find_first_not_of(kBlanks), name.size()));
    std::string plain(name.substr(0, name.find_last_not_of(kBlanks) + 1));
    for (char& c : plain)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return mode_by_name(plain);
}

Error missing(std::string_view field) {
    return fail(Errc::missing_field, std::string(field) + ": is required");
}

bool begin_payload(Source& source, std::string_view name) {
    source.lexer().skip_space();
    return source.lexer().peek() == '{' ||
           source.lexer().refuse(
               fail(Errc::invalid_field, std::string(name) + ": must be a JSON object"));
}

Status read_hello(Source& source, Hello& hello) {
    bool protocol = false;
    const auto take = [&](std::size_t index, Field& field) {
        switch (index) {
            case 0:
                protocol = true;
                return take_protocol(field);
            case 1:
                return put(field.string(), hello.instance_id);
            case 2:
                return put(field.string(), hello.user_id);
            case 3:
                return take_resume(field, hello);
            case 4:
                return put(field.boolean(), hello.snapshot);
            default:
                return put(field.string(), hello.client);
        }
    };
    if (!read_payload<kHello>(source, true, take)) return source.lexer().take_error();
    if (!protocol) return missing("protocol");
    return Done{};
}

Status read_context_sync(Source& source, const From& from, Command& command) {
    auto& context = std::get<PutContext>(command.body);  // what a new command is
    bool deleted = false;
    const auto take = [&](std::size_t index, Field& field) {
        if (index >= 8) return take_from(index, 8, field, from);
        return take_context_member(index, field, context, deleted);
    };
    if (!read_payload<kContextSync>(source, from.strict, take)) return source.lexer().take_error();
    if (context.key.empty()) return missing("contextKey");
    if (deleted) {
        command.body = DeleteContext{std::move(context.key)};
        return Done{};
    }
    if (context.data.empty()) return missing("data");
    context.force = context.strategy == MergeStrategy::replace;
    return Done{};
}

Status read_mode_update(Source& source, const From& from, Command& command) {
    auto& set = command.body.emplace<SetMode>();
    NamedModes named;
    const auto take = [&](std::size_t index, Field& field) {
        if (index >= 6) return take_from(index, 6, field, from);
        return take_mode_member(index, field, set, named);
    };
    if (!read_payload<kModeUpdate>(source, from.strict, take)) return source.lexer().take_error();
    const auto differ = [](const auto& a, const auto& b) { return a && b && *a != *b; };
    if (differ(named.to[0], named.to[1]))
        return fail(Errc::invalid_field, "toMode: is another one than currentMode; send one");
    if (differ(named.from[0], named.from[1]))
        return fail(Errc::invalid_field, "fromMode: is another one than previousMode; send one");
    if (!named.to[0]) named.to[0] = named.to[1];
    if (!named.to[0]) return missing("currentMode");
    set.mode = *named.to[0];
    return Done{};
}

}  // namespace dyad::wire
