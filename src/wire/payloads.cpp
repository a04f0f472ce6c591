#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

// Null is nobody's.
bool take_same(Field& field, std::string_view expected) {
    const Taken<std::string_view> text = field.string();
    if (!text.value || expected.empty() || *text.value == expected) return text.good;
    return field.wrong("that of the connection; leave it out here");
}

struct HelloFields {
    Hello& hello;
    bool protocol = false;
};

bool take_protocol(Field& field, HelloFields& f) {
    f.protocol = true;
    const Taken<std::int64_t> version = field.integer();
    return version.good && (version.value == 2 || field.wrong("2, which this server speaks"));
}

bool take_resume(Field& field, HelloFields& f) {
    const Taken<std::string_view> text = field.string();
    if (!text.value) return text.good;
    // A token of another log, an older server or a damaged store of the client: the answer is a
    // reset, which the client must know how to take in any case.
    Result<Position> position = Position::parse(*text.value);
    if (position)
        f.hello.resume = *position;
    else
        f.hello.resume_refused = true;
    return true;
}

constexpr MemberOf<HelloFields> kHello[] = {
    {"protocol", take_protocol},
    {"instanceId", [](Field& field, HelloFields& f) { return field.into(f.hello.instance_id); }},
    {"userId", [](Field& field, HelloFields& f) { return field.into(f.hello.user_id); }},
    {"resume", take_resume},
    {"snapshot", [](Field& field, HelloFields& f) { return field.into(f.hello.snapshot); }},
    {"client", [](Field& field, HelloFields& f) { return field.into(f.hello.client); }},
};

struct ContextSync {
    PutContext& context;
    const From& from;
    bool deleted = false;
};

// In the order of existing clients. The last two say again what the envelope says.
constexpr MemberOf<ContextSync> kContextSync[] = {
    {"contextKey", [](Field& field, ContextSync& f) { return field.into(f.context.key); }},
    {"contextType", [](Field& field, ContextSync& f) { return field.into(f.context.type); }},
    // A clock in existing clients; any number is as good as another.
    {"version", [](Field& field, ContextSync&) { return field.clock(); }},
    {"mergeStrategy", [](Field& field, ContextSync& f) { return field.into(f.context.strategy); }},
    {"data",
     [](Field& field, ContextSync& f) { return field.document_unless_null(f.context.data); }},
    {"deleted", into<&ContextSync::deleted>},
    {"tags", [](Field& field, ContextSync& f) { return field.into(f.context.tags); }},
    {"expiresAt", [](Field& field, ContextSync& f) { return take_expiry(field, f.context); }},
    {"userId", [](Field& field, ContextSync& f) { return take_same(field, f.from.user_id); }},
    {"instanceId",
     [](Field& field, ContextSync& f) { return take_same(field, f.from.instance_id); }},
};

// Both names of a mode, the clients' and that of what existing servers broadcast: the same one.
struct ModeUpdate {
    SetMode& set;
    const From& from;
    std::optional<Mode> current{};
    std::optional<Mode> to{};
    // Where it comes from is in the log; what the client believes does not count.
    std::optional<std::string> previous{};
    std::optional<std::string> from_mode{};
};

template <auto place>
bool mode_into(Field& field, ModeUpdate& f) {
    return field.name_into(f.*place, mode_by_any_name, any_of_names<Mode>);
}
template <auto place>
bool belief_into(Field& field, ModeUpdate& f) {
    return field.document_unless_null(f.*place);
}

constexpr MemberOf<ModeUpdate> kModeUpdate[] = {
    {"currentMode", mode_into<&ModeUpdate::current>},
    {"toMode", mode_into<&ModeUpdate::to>},
    {"previousMode", belief_into<&ModeUpdate::previous>},
    {"fromMode", belief_into<&ModeUpdate::from_mode>},
    {"configuration",
     [](Field& field, ModeUpdate& f) { return field.document_unless_null(f.set.configuration); }},
    {"transitionDuration",
     [](Field& field, ModeUpdate& f) { return field.into(f.set.transition_duration_ms); }},
    {"userId", [](Field& field, ModeUpdate& f) { return take_same(field, f.from.user_id); }},
    {"instanceId",
     [](Field& field, ModeUpdate& f) { return take_same(field, f.from.instance_id); }},
};

}  // namespace

std::optional<Mode> mode_by_any_name(std::string_view name) {
    constexpr std::string_view kBlanks = " \t\r\n";
    name.remove_prefix(std::min(name.find_first_not_of(kBlanks), name.size()));
    std::string plain(name.substr(0, name.find_last_not_of(kBlanks) + 1));
    for (char& c : plain)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return by_name<Mode>(plain);
}

Error missing(std::string_view field) {
    return fail(Errc::missing_field, std::string(field) + ": is required");
}

bool begin_payload(Source& source, std::string_view name) {
    source.lexer().skip_space();
    const char c = source.lexer().peek();
    if (c == '{') return true;
    // Another encoding, a byte order mark, something compressed.
    if (static_cast<unsigned char>(c) >= 0x80 || (c != 0 && c < ' '))
        return source.lexer().refuse(
            fail(Errc::invalid_json,
                 std::string(name) + ": is no JSON in UTF-8 without a byte order mark (RFC 8259)"));
    return source.lexer().refuse(
        fail(Errc::invalid_field, std::string(name) + ": must be a JSON object"));
}

Status read_hello(Source& source, Hello& hello) {
    HelloFields fields{.hello = hello};
    TRY(read_payload<kHello>(source, true, fields));
    if (!fields.protocol) return missing("protocol");
    return Done{};
}

Status read_context_sync(Source& source, const From& from, Command& command) {
    auto& context = std::get<PutContext>(command.body);  // what a new command is
    ContextSync fields{.context = context, .from = from};
    TRY(read_payload<kContextSync>(source, from.strict, fields));
    if (context.key.empty()) return missing("contextKey");
    if (fields.deleted) {
        command.body = DeleteContext{std::move(context.key)};
        return Done{};
    }
    if (context.data.empty()) return missing("data");
    context.force = context.strategy == MergeStrategy::replace;
    return Done{};
}

Status read_mode_update(Source& source, const From& from, Command& command) {
    auto& set = command.body.emplace<SetMode>();
    ModeUpdate fields{.set = set, .from = from};
    TRY(read_payload<kModeUpdate>(source, from.strict, fields));
    const auto differ = [](const auto& a, const auto& b) { return a && b && *a != *b; };
    if (differ(fields.current, fields.to))
        return fail(Errc::invalid_field, "toMode: is another one than currentMode; send one");
    if (differ(fields.previous, fields.from_mode))
        return fail(Errc::invalid_field, "fromMode: is another one than previousMode; send one");
    if (!fields.current && !fields.to) return missing("currentMode");
    set.mode = fields.current ? *fields.current : *fields.to;
    return Done{};
}

}  // namespace dyad::wire
