// Changes as the log keeps them: written and read back exactly, whatever is in them.
#include "model/change.hpp"

#include "model/json.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad {
namespace {

using rc::gen::arbitrary;

// Text with everything that JSON must escape, and characters of every length in UTF-8.
rc::Gen<std::string> text() {
    const auto piece = rc::gen::element<std::string>("a", "b7", " ", "\"", "\\", "\n", "\t", "\x01",
                                                     "{", "}", ",", ":", "é", "€", "😀");
    return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                        [](const std::vector<std::string>& pieces) {
                            std::string all;
                            for (const std::string& one : pieces)
                                all += one;
                            return all;
                        });
}
// Some are longer than what a writer takes in one step.
rc::Gen<std::string> long_text() {
    return rc::gen::map(rc::gen::pair(text(), rc::gen::inRange<std::size_t>(0, 300)),
                        [](const std::pair<std::string, std::size_t>& part) {
                            std::string all;
                            for (std::size_t i = 0; i < part.second; ++i)
                                all += part.first;
                            return all.substr(0, all.size() > 6000 ? 0 : all.size());
                        });
}
rc::Gen<std::string> any_text() {
    return rc::gen::weightedOneOf<std::string>({{6, text()}, {1, long_text()}});
}
rc::Gen<std::string> json() {
    return rc::gen::element<std::string>("{}", R"({"a":"}\"]"})",
                                         R"({"x":[1,{"data":2}],"y":null})");
}
rc::Gen<std::int64_t> moment() {
    return rc::gen::inRange<std::int64_t>(0, 4102444800000);
}

Context any_context() {
    Context context;
    context.key = *any_text();
    context.type = static_cast<ContextType>(*rc::gen::inRange(0, 4));
    context.mode = *rc::gen::element<std::string>("", "didactic", "parallel");
    context.deleted = *arbitrary<bool>();
    context.data = context.deleted ? "null" : *json();
    context.tags = *rc::gen::container<std::vector<std::string>>(text());
    context.version = *rc::gen::inRange<Version>(1, 1ULL << 62);
    context.created_by = *any_text();
    context.last_modified_by = *any_text();
    context.created_at_ms = *moment();
    context.updated_at_ms = *moment();
    if (*arbitrary<bool>()) context.expires_at_ms = *moment();
    context.expiry_fixed = *arbitrary<bool>();
    context.offset = *rc::gen::inRange<Offset>(1, 1ULL << 62);
    return context;
}

// Through the log: written as an event's data, and read from the event.
template <class Kind>
Kind through_the_log(const Change& change) {
    EventBatch batch;
    LogHead head{.epoch = 9, .offset = 0, .hash = genesis_hash("ada", 9), .timestamp_ms = 0};
    const std::string data = encode_change(change);
    const std::string scope = scope_of(change);
    append_event(batch, head,
                 {.kind = kind_of(change),
                  .scope = scope,
                  .source_instance_id = "desk",
                  .operation_id = "op",
                  .data = data,
                  .fingerprint = 1,
                  .timestamp_ms = 5,
                  .salt = {}});
    const Result<EventView> event = decode_event(batch.text(1));
    RC_ASSERT(event.has_value());
    RC_ASSERT(event->scope == scope);
    const Result<Change> read = decode_change(*event);
    RC_ASSERT(read.has_value());
    RC_ASSERT(encode_change(*read) == data);
    RC_ASSERT(*json::canonicalize(data) == data);

    EventBatch direct;
    LogHead direct_head{.epoch = 9, .offset = 0, .hash = genesis_hash("ada", 9), .timestamp_ms = 0};
    append_change(direct, direct_head, change,
                  {.source_instance_id = "desk",
                   .operation_id = "op",
                   .fingerprint = 1,
                   .timestamp_ms = 5,
                   .salt = {}});
    RC_ASSERT(encode_batch(direct) == encode_batch(batch));
    RC_ASSERT(direct_head.position() == head.position());
    return std::get<Kind>(*read);
}

TEST(Change, ContextsComeBackFromTheLogAsTheyWere) {
    EXPECT_TRUE(rc::check([] {
        ContextChange change;
        const Context context = any_context();
        change.context = std::make_shared<const Context>(context);
        change.action = static_cast<ContextAction>(*rc::gen::inRange(0, 6));
        change.strategy = static_cast<MergeStrategy>(*rc::gen::inRange(0, 3));
        change.previous_version = context.version - 1;
        change.conflicts_closed = *rc::gen::container<std::vector<std::string>>(text());
        const auto back = through_the_log<ContextChange>(change);
        RC_ASSERT(back.context->key == context.key);
        RC_ASSERT(back.context->data == context.data);
        RC_ASSERT(back.context->tags == context.tags);
        RC_ASSERT(back.context->created_by == context.created_by);
        RC_ASSERT(back.context->last_modified_by == context.last_modified_by);
        RC_ASSERT(back.context->expires_at_ms == context.expires_at_ms);
        RC_ASSERT(back.context->expiry_fixed == context.expiry_fixed);
        RC_ASSERT(back.context->deleted == context.deleted);
        RC_ASSERT(back.context->version == context.version);
        RC_ASSERT(back.action == change.action);
        RC_ASSERT(back.strategy == change.strategy);
        RC_ASSERT(back.conflicts_closed == change.conflicts_closed);
    }));
}

TEST(Change, ContextsComeBackFromTheirDocumentAsTheyWere) {
    EXPECT_TRUE(rc::check([] {
        const Context context = any_context();
        std::string document;
        write_context(document, context);
        RC_ASSERT(*json::canonicalize(document) == document);
        const Result<Context> back = read_context(document);
        RC_ASSERT(back.has_value());
        RC_ASSERT(back->key == context.key);
        RC_ASSERT(back->type == context.type);
        RC_ASSERT(back->mode == context.mode);
        RC_ASSERT(back->data == context.data);
        RC_ASSERT(back->tags == context.tags);
        RC_ASSERT(back->version == context.version);
        RC_ASSERT(back->created_by == context.created_by);
        RC_ASSERT(back->last_modified_by == context.last_modified_by);
        RC_ASSERT(back->created_at_ms == context.created_at_ms);
        RC_ASSERT(back->updated_at_ms == context.updated_at_ms);
        RC_ASSERT(back->expires_at_ms == context.expires_at_ms);
        RC_ASSERT(back->deleted == context.deleted);
        RC_ASSERT(back->offset == context.offset);
    }));
}

TEST(Change, ConflictsKeepBothSidesAndTheirAbsence) {
    EXPECT_TRUE(rc::check([] {
        ContextChange change;
        change.context = std::make_shared<const Context>(any_context());
        Conflict conflict;
        conflict.id = "7.1";
        conflict.context_key = *text();
        conflict.path = "/" + *text();
        if (*arbitrary<bool>()) conflict.base = *json();
        if (*arbitrary<bool>()) conflict.stored = *json();
        if (*arbitrary<bool>()) conflict.incoming = "null";
        conflict.incoming_from = *text();
        change.conflicts_opened.push_back(conflict);
        const auto back = through_the_log<ContextChange>(change);
        RC_ASSERT(back.conflicts_opened.size() == 1U);
        const Conflict& read = back.conflicts_opened.front();
        RC_ASSERT(read.path == conflict.path);
        RC_ASSERT(read.base == conflict.base);
        RC_ASSERT(read.stored == conflict.stored);
        RC_ASSERT(read.incoming == conflict.incoming);
        RC_ASSERT(read.incoming_from == conflict.incoming_from);
    }));
}

TEST(Change, ModesComeBackFromTheLogAsTheyWere) {
    EXPECT_TRUE(rc::check([] {
        ModeState state;
        state.instance_id = *text();
        state.current = static_cast<Mode>(*rc::gen::inRange(0, 3));
        if (*arbitrary<bool>()) state.previous = static_cast<Mode>(*rc::gen::inRange(0, 3));
        if (*arbitrary<bool>()) state.configuration = *json();
        if (*arbitrary<bool>()) state.context_snapshot = *json();
        if (*arbitrary<bool>()) state.error_message = *text();
        state.success = *arbitrary<bool>();
        if (*arbitrary<bool>()) state.attempted = static_cast<Mode>(*rc::gen::inRange(0, 3));
        state.transition_duration_ms = *moment();
        state.activated_at_ms = *moment();
        state.updated_at_ms = *moment();
        state.sync_version = *rc::gen::inRange<std::uint64_t>(1, 1ULL << 62);
        const ModeState back = through_the_log<ModeChange>(ModeChange{state}).state;
        RC_ASSERT(back.instance_id == state.instance_id);
        RC_ASSERT(back.current == state.current);
        RC_ASSERT(back.previous == state.previous);
        RC_ASSERT(back.configuration == state.configuration);
        RC_ASSERT(back.context_snapshot == state.context_snapshot);
        RC_ASSERT(back.error_message == state.error_message);
        RC_ASSERT(back.success == state.success);
        RC_ASSERT(back.attempted == state.attempted);
        RC_ASSERT(back.transition_duration_ms == state.transition_duration_ms);
    }));
}

TEST(Change, AModeNamesWhoMadeRoomForIt) {
    ModeState state;
    state.instance_id = "new";
    const std::string without = encode_change(ModeChange{state});
    EXPECT_EQ(without.find("forgotten"), std::string::npos) << "as it was in older logs";
    const std::string with = encode_change(ModeChange{state, {"old", "\"older\""}});
    EXPECT_EQ(json::canonical(*json::parse(with)), with);
    const ModeChange back = through_the_log<ModeChange>(ModeChange{state, {"old", "\"older\""}});
    EXPECT_EQ(back.forgotten, (std::vector<std::string>{"old", "\"older\""}));
    State folded;
    folded.modes["old"] = folded.modes["other"] = {};
    fold(folded, back);
    EXPECT_EQ(folded.modes.size(), 2u);
    EXPECT_TRUE(folded.modes.contains("new") && folded.modes.contains("other"));
}

TEST(Change, AProvenanceComesBackAndIsAbsentWhereNobodySaidOne) {
    Context context;
    context.key = "k";
    context.data = "{}";
    std::string without;
    write_context(without, context);
    EXPECT_EQ(without.find("provenance"), std::string::npos) << "as it was in older logs";
    EXPECT_FALSE(read_context(without)->provenance);
    context.provenance = Provenance{Author::model, "m \"1\"", Trust::quarantined};
    std::string with;
    write_context(with, context);
    EXPECT_NE(
        with.find(
            R"("provenance":{"kind":"model","model":"m \"1\"","trust":"quarantined"},"tags")"),
        std::string::npos)
        << with;
    EXPECT_EQ(json::canonical(*json::parse(with)), with);
    EXPECT_EQ(read_context(with)->provenance, context.provenance);
    ContextChange change;
    change.context = std::make_shared<const Context>(context);
    EXPECT_EQ(through_the_log<ContextChange>(change).context->provenance, context.provenance);
}

TEST(Change, ClaimsComeBackFromTheLogAsTheyWere) {
    Claim claim{.resource = "file:/a \"b\"",
                .instance_id = "laptop",
                .session = "s",
                .note = "mending",
                .token = 7,
                .granted_at_ms = 1'000,
                .renewed_at_ms = 2'000,
                .expires_at_ms = 62'000};
    const std::string text = encode_change(ClaimChange{claim, ClaimAction::renewed});
    EXPECT_EQ(json::canonical(*json::parse(text)), text);
    const auto back = through_the_log<ClaimChange>(ClaimChange{claim, ClaimAction::renewed});
    EXPECT_EQ(back.action, ClaimAction::renewed);
    EXPECT_EQ(encode_change(back), text);
    EXPECT_EQ(back.claim.session, "s");
    EXPECT_EQ(back.claim.note, "mending");
    claim.session.clear();
    claim.note.clear();
    std::string bare;
    write_claim(bare, claim);
    EXPECT_EQ(bare, R"({"expiresAt":62000,"grantedAt":1000,"instanceId":"laptop","renewedAt":2000,)"
                    R"("resource":"file:/a \"b\"","token":7})");
    EXPECT_EQ(read_claim(bare)->renewed_at_ms, 2'000);
    State state;
    fold(state, back);
    fold(state, ClaimChange{claim, ClaimAction::granted});
    EXPECT_EQ(state.claims.size(), 1u);
    EXPECT_EQ(state.claim_ends.size(), 1u);
    fold(state, ClaimChange{claim, ClaimAction::expired});
    fold(state, ClaimChange{claim, ClaimAction::expired});
    EXPECT_TRUE(state.claims.empty() && state.claim_ends.empty());
}

ResponseSource any_source() {
    ResponseSource source;
    source.type = static_cast<SourceType>(*rc::gen::inRange(0, 3));
    source.provider = *text();
    source.model = *text();
    if (*arbitrary<bool>()) source.confidence = *rc::gen::element(0.0, 0.1, 0.875, 1.0);
    source.response_hash = *text();
    source.tools_used = *rc::gen::container<std::vector<std::string>>(text());
    if (*arbitrary<bool>()) source.input_tokens = *moment();
    if (*arbitrary<bool>()) source.output_tokens = 0;
    if (*arbitrary<bool>()) source.cost_usd = *rc::gen::element(0.0, 1e-9, 0.25, 12345.678);
    source.timestamp_ms = *moment();
    return source;
}

TEST(Change, ResponsesComeBackFromTheLogAsTheyWere) {
    EXPECT_TRUE(rc::check([] {
        ResponseRecord record;
        record.chat_id = *text();
        record.message_id = *text();
        record.instance_id = *text();
        record.mode = "parallel";
        record.final = any_source();
        for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
            record.sources.push_back(any_source());
        if (*arbitrary<bool>()) record.harmonization_strategy = *text();
        record.timestamp_ms = *moment();
        const ResponseRecord back = through_the_log<ResponseChange>(ResponseChange{record}).record;
        RC_ASSERT(back.chat_id == record.chat_id);
        RC_ASSERT(back.final.confidence == record.final.confidence);
        RC_ASSERT(back.final.cost_usd == record.final.cost_usd);
        RC_ASSERT(back.final.output_tokens == record.final.output_tokens);
        RC_ASSERT(back.sources.size() == record.sources.size());
        RC_ASSERT(back.harmonization_strategy == record.harmonization_strategy);
    }));
}

// Whatever is written in whatever order: what is counted is what a look at all contexts finds.
TEST(Fold, CountsAndExpiriesAreThoseOfTheLiveContexts) {
    EXPECT_TRUE(rc::check([] {
        State state;
        for (int i = *rc::gen::inRange(1, 60); i > 0; --i) {
            Context context;
            context.key = "a key that is long enough: " + std::to_string(*rc::gen::inRange(0, 6));
            context.data = *json();
            context.deleted = *rc::gen::weightedElement<bool>({{3, false}, {1, true}});
            if (*arbitrary<bool>()) context.expires_at_ms = *rc::gen::inRange(0, 8);
            fold(state, ContextChange{std::make_shared<const Context>(context)});
        }
        std::set<std::pair<std::int64_t, std::string>> expiries;
        std::size_t live = 0;
        std::size_t bytes = 0;
        for (const auto& [key, context] : state.contexts) {
            if (context->deleted) continue;
            ++live;
            bytes += context->data.size();
            if (context->expires_at_ms) expiries.emplace(*context->expires_at_ms, key);
        }
        RC_ASSERT(state.live_contexts == live);
        RC_ASSERT(state.live_bytes == bytes);
        RC_ASSERT(std::equal(state.expiries.begin(), state.expiries.end(), expiries.begin(),
                             expiries.end()));
    }));
}

TEST(Change, FoldCountsWhatLives) {
    State state;
    const auto put = [&state](std::string key, std::string data, bool deleted = false,
                              std::optional<std::int64_t> expires_at_ms = {}) {
        Context context;
        context.key = std::move(key);
        context.data = std::move(data);
        context.deleted = deleted;
        context.expires_at_ms = expires_at_ms;
        ContextChange change;
        change.context = std::make_shared<const Context>(std::move(context));
        fold(state, change);
    };
    put("a", "{\"x\":1}", false, 5);
    put("b", "{}");
    EXPECT_EQ(state.live_contexts, 2U);
    EXPECT_EQ(state.live_bytes, 9U);
    EXPECT_EQ(state.expiries.size(), 1U);
    put("a", "{}", false, 9);
    EXPECT_EQ(state.live_contexts, 2U);
    EXPECT_EQ(state.live_bytes, 4U);
    ASSERT_EQ(state.expiries.size(), 1U);
    EXPECT_EQ(state.expiries.begin()->first, 9);
    put("a", "null", true);
    EXPECT_EQ(state.live_contexts, 1U);
    EXPECT_EQ(state.live_bytes, 2U);
    EXPECT_TRUE(state.expiries.empty());
    put("a", "{}");
    EXPECT_EQ(state.live_contexts, 2U);
}

}  // namespace
}  // namespace dyad
