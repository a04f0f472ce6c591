// Documents, versions of them and patches made from any bytes: the laws of merging hold, and
// patching neither crashes nor leaves the limits.
#include "model/json_patch.hpp"
#include "model/merge.hpp"
#include "support/json_reference.hpp"
#include "support/json_values.hpp"

#include <cstdint>
#include <span>

namespace {

using namespace dyad;
using namespace dyad::json;

void merge_three(const Value& base, const Value& ours, const Value& theirs) {
    const MergeResult result = merge3(base, ours, theirs);
    CHECK(test::NothingLost(result, true).holds(&base, &ours, &result.merged));
    CHECK(test::NothingLost(result, false).holds(&base, &theirs, &result.merged));
    const MergeResult mirrored = merge3(base, theirs, ours);
    CHECK(mirrored.conflicts.size() == result.conflicts.size());
    if (result.conflicts.empty())
        CHECK(test::text_without_order(result.merged) == test::text_without_order(mirrored.merged));
    const MergeResult incoming = merge3(base, base, theirs);
    CHECK(incoming.conflicts.empty() && equal(incoming.merged, theirs));
    const MergeResult stored = merge3(base, ours, base);
    CHECK(stored.conflicts.empty() && equal(stored.merged, ours));
    const MergeResult both = merge3(base, ours, ours);
    CHECK(both.conflicts.empty() && equal(both.merged, ours));
}

void merge_two(const Value& ours, const Value& theirs) {
    const MergeResult result = merge2(ours, theirs);
    CHECK(test::NothingLost(result, true).holds(nullptr, &ours, &result.merged));
    CHECK(test::NothingLost(result, false).holds(nullptr, &theirs, &result.merged));
}

// Taking the incoming side of every conflict always works.
void resolve(const MergeResult& result) {
    Value document = result.merged;
    for (const MergeConflict& conflict : result.conflicts) {
        const auto tokens = parse_pointer(conflict.path);
        CHECK(tokens && to_pointer(*tokens) == conflict.path);
        if (tokens->empty() && !conflict.theirs) continue;
        Result<Value> chosen = set_at(document, *tokens, conflict.theirs);
        CHECK(chosen);
        document = *std::move(chosen);
        const Value* at = find_in(document, *tokens);
        CHECK((at != nullptr) == conflict.theirs.has_value());
        CHECK(at == nullptr || equal(*at, *conflict.theirs));
    }
}

Value random_patch(test::ValueSource& source) {
    static const char* const kKinds[] = {"add", "remove", "replace", "move", "copy", "test", "?"};
    const auto pointer = [&source] {
        static const char* const kTokens[] = {"a", "b", "c", "", "0", "1", "-", "01"};
        std::string text;
        for (unsigned tokens = source.next(4); tokens > 0; --tokens)
            append_token(text, kTokens[source.next(8)]);
        return text;
    };
    boost::json::array patch;
    for (unsigned operations = source.next(24); operations > 0; --operations) {
        boost::json::object operation;
        operation["op"] = kKinds[source.next(64) % 7];
        operation["path"] = pointer();
        operation["from"] = pointer();
        operation["value"] = source.value(2);
        patch.push_back(std::move(operation));
    }
    return patch;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    test::ValueSource source(std::span(bytes, size));
    const Value base = source.value();
    const Value ours = source.version(base);
    const Value theirs = source.version(base);
    merge_three(base, ours, theirs);
    merge_two(ours, theirs);
    resolve(merge3(base, ours, theirs));

    const Value patched = merge_patch(base, ours);
    CHECK(equal(patched, test::reference_merge_patch(base, ours)));
    CHECK(equal(merge_patch(patched, ours), patched));

    const std::string before = canonical(base);
    constexpr std::size_t kBytesMax = 2000;
    const Result<Value> result = apply_patch(base, random_patch(source), kBytesMax);
    CHECK(canonical(base) == before);
    if (result) CHECK(check(*result) && canonical(*result).size() <= kBytesMax);
    return 0;
}
