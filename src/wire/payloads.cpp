#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 6> kHello = {"protocol", "instanceId", "userId",
                                                    "resume",   "snapshot",   "client"};
// In the order of existing clients.
constexpr std::array<std::string_view, 8> kContextSync = {"contextKey",    "contextType", "version",
                                                          "mergeStrategy", "data",        "deleted",
                                                          "tags",          "expiresAt"};
constexpr std::array<std::string_view, 6> kModeUpdate = {
    "currentMode", "toMode", "previousMode", "fromMode", "configuration", "transitionDuration"};

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
            return field.number().good;
        case 3:
            return put_name(field, context.strategy, merge_strategy_by_name, kStrategies);
        case 4:
            return field.document(context.data);
        case 5:
            return put(field.boolean(), deleted);
        case 6:
            return field.strings(context.tags.emplace());
        default: {
            const Taken<std::int64_t> time = field.integer();
            context.expires_at_ms = time.value;
            return time.good;
        }
    }
}

bool take_mode_member(std::size_t index, Field& field, SetMode& set, bool& named) {
    switch (index) {
        case 0:
            named = true;
            return put_name(field, set.mode, mode_by_name, kModes);
        case 1: {
            // What existing servers broadcast; the client's own name comes first where both do.
            Mode to = set.mode;
            if (!put_name(field, to, mode_by_name, kModes)) return false;
            if (!named) set.mode = to;
            named = true;
            return true;
        }
        case 2:
        case 3:
            // Where it comes from is in the log; what the client believes does not count.
            return field.skip();
        case 4:
            return put_unless_null(field, set.configuration);
        default:
            return put(field.integer(), set.transition_duration_ms);
    }
}

}  // namespace

Error missing(std::string_view field) {
    return fail(Errc::missing_field, std::string(field) + ": is required");
}

bool put_unless_null(Field& field, std::optional<std::string>& out) {
    std::string text;
    if (!field.document(text)) return false;
    if (text != "null") out = std::move(text);
    return true;
}

bool begin_payload(Source& source) {
    source.lexer().skip_space();
    return source.lexer().peek() == '{' ||
           source.lexer().refuse(fail(Errc::invalid_field, "payload: must be a JSON object"));
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
    if (!read_payload<kHello>(source, take)) return source.lexer().take_error();
    if (!protocol) return missing("protocol");
    return Done{};
}

Status read_context_sync(Source& source, Command& command) {
    auto& context = std::get<PutContext>(command.body);  // what a new command is
    bool deleted = false;
    const auto take = [&](std::size_t index, Field& field) {
        return take_context_member(index, field, context, deleted);
    };
    if (!read_payload<kContextSync>(source, take)) return source.lexer().take_error();
    if (context.key.empty()) return missing("contextKey");
    if (deleted) {
        command.body = DeleteContext{std::move(context.key)};
        return Done{};
    }
    if (context.data.empty()) return missing("data");
    context.force = context.strategy == MergeStrategy::replace;
    return Done{};
}

Status read_mode_update(Source& source, Command& command) {
    auto& set = command.body.emplace<SetMode>();
    bool named = false;
    const auto take = [&](std::size_t index, Field& field) {
        return take_mode_member(index, field, set, named);
    };
    if (!read_payload<kModeUpdate>(source, take)) return source.lexer().take_error();
    if (!named) return missing("currentMode");
    return Done{};
}

}  // namespace dyad::wire
