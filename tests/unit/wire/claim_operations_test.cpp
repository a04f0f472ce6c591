// Claims, fences and provenance as clients say them.
#include "base/limits.hpp"
#include "model/command.hpp"
#include "wire/message.hpp"

#include <string>

#include <gtest/gtest.h>

namespace dyad::wire {
namespace {

Result<Command> read(const std::string& fields) {
    Decoder decoder;
    Result<Command> command = decoder.operation("{" + fields + "}");
    if (!command) return command;
    command->instance_id = "desk";
    command->operation_id = "op";
    if (const Status valid = validate(*command); !valid) return valid.error();
    return command;
}
std::string refusal(const std::string& fields) {
    const Result<Command> command = read(fields);
    return command ? "" : command.error().detail;
}

constexpr const char* kPut = R"("op":"context.put","contextKey":"k","data":{})";
std::string put(const std::string& more) {
    return kPut + ("," + more);
}

}  // namespace

TEST(ClaimOperations, SayWhatIsClaimedForHowLong) {
    const Result<Command> bare = read(R"("op":"claim.acquire","resource":"file:/a b")");
    ASSERT_TRUE(bare) << bare.error().detail;
    const auto& acquire = std::get<AcquireClaim>(bare->body);
    EXPECT_EQ(acquire.resource, "file:/a b");
    EXPECT_EQ(acquire.ttl_ms, limits::claim_ttl_ms_default);
    EXPECT_FALSE(acquire.note);
    EXPECT_EQ(acquire.session, "");
    const Result<Command> full = read(
        R"("op":"claim.acquire","resource":"context:k","ttlMs":5000,"note":"tests","session":"s")");
    ASSERT_TRUE(full) << full.error().detail;
    EXPECT_EQ(std::get<AcquireClaim>(full->body).ttl_ms, 5000);
    EXPECT_EQ(std::get<AcquireClaim>(full->body).note, "tests");
    EXPECT_EQ(std::get<AcquireClaim>(full->body).session, "s");
    const Result<Command> release = read(R"("op":"claim.release","resource":"r","token":7)");
    ASSERT_TRUE(release) << release.error().detail;
    EXPECT_EQ(std::get<ReleaseClaim>(release->body).token, 7u);
}

TEST(ClaimOperations, AreRefusedWithTheFieldAndItsLimit) {
    const std::pair<std::string, std::string> cases[] = {
        {R"("op":"claim.acquire")", "resource: "},
        {R"("op":"claim.acquire","resource":"")", "resource: "},
        {R"("op":"claim.acquire","resource":")" +
             std::string(limits::claim_resource_bytes_max + 1, 'x') + "\"",
         "resource: at most 512 bytes"},
        {R"("op":"claim.acquire","resource":"r","ttlMs":99)", "ttlMs: must be a whole number from"},
        {R"("op":"claim.acquire","resource":"r","ttlMs":86400001)", "ttlMs: must be"},
        {R"("op":"claim.acquire","resource":"r","note":")" +
             std::string(limits::claim_note_bytes_max + 1, 'x') + "\"",
         "note: at most 512 bytes"},
        {R"("op":"claim.acquire","resource":"r","session":"a\u0001")", "session: "},
        {R"("op":"claim.release","resource":"r")", "token: "},
        {R"("op":"claim.release","resource":"r","token":0)", "token: must be the token"},
        {R"("op":"claim.release","token":1)", "resource: "},
        {put(R"("fence":{"resource":"r"})"), "fence.token: "},
        {put(R"("fence":{"token":1})"), "fence.resource: "},
        {put(R"("fence":{"resource":"r","token":0})"), "fence.token: must be the token"},
        {put(R"("fence":{"resource":"r","token":1,"x":1})"), "fence.x: is not known here"},
        {put(R"("fence":7)"), "fence: must be an object"},
        {put(R"("provenance":{})"),
         "provenance.kind: is required: user, model, tool, web or import"},
        {put(R"("provenance":{"kind":"robot"})"),
         "provenance.kind: must be user, model, tool, web or import"},
        {put(R"("provenance":{"kind":"web","trust":"much"})"),
         "provenance.trust: must be trusted, unverified or quarantined"},
        {put(R"("provenance":{"kind":"web","url":"x"})"), "provenance.url: is not known here"},
        {put(R"("provenance":{"kind":"model","model":")" +
             std::string(limits::provenance_model_bytes_max + 1, 'x') + "\"}"),
         "provenance.model: at most 128 bytes"},
        {R"("op":"context.delete","contextKey":"k","provenance":{"kind":"user"})",
         "provenance: is not known here"},
    };
    for (const auto& [fields, begins] : cases)
        EXPECT_EQ(refusal(fields).substr(0, begins.size()), begins) << fields;
}

TEST(ClaimOperations, EveryWriteTakesAFence) {
    const char* const writes[] = {
        kPut,
        R"("op":"context.merge-patch","contextKey":"k","patch":{})",
        R"("op":"context.json-patch","contextKey":"k","patch":[])",
        R"("op":"context.delete","contextKey":"k")",
        R"("op":"context.restore","contextKey":"k","version":1)",
        R"("op":"conflict.resolve","conflictId":"1.1","choice":"stored")",
        R"("op":"mode.set","mode":"parallel")",
        R"("op":"mcp.announce","kind":"mcp-server-added","payload":{})",
    };
    for (const std::string write : writes) {
        const Result<Command> command = read(write + R"(,"fence":{"resource":"r","token":9})");
        ASSERT_TRUE(command) << write << ": " << command.error().detail;
        ASSERT_TRUE(command->fence) << write;
        EXPECT_EQ(command->fence->resource, "r");
        EXPECT_EQ(command->fence->token, 9u);
        EXPECT_FALSE(read(write + R"(,"fence":null)")->fence);
        EXPECT_NE(command->fingerprint(), read(write)->fingerprint()) << "it is another operation";
    }
}

TEST(ClaimOperations, AProvenanceIsKeptAsItWasSaid) {
    const Result<Command> said =
        read(put(R"("provenance":{"kind":"model","model":"m-1","trust":"quarantined"})"));
    ASSERT_TRUE(said) << said.error().detail;
    EXPECT_EQ(said->provenance, (Provenance{Author::model, "m-1", Trust::quarantined}));
    EXPECT_EQ(read(put(R"("provenance":{"kind":"user"})"))->provenance,
              (Provenance{Author::user, "", Trust::trusted}));
    EXPECT_EQ(read(put(R"("provenance":{"kind":"tool"})"))->provenance,
              (Provenance{Author::tool, "", Trust::unverified}));
    EXPECT_FALSE(read(put(R"("provenance":null)"))->provenance);
    EXPECT_FALSE(read(kPut)->provenance);
    EXPECT_NE(said->fingerprint(), read(kPut)->fingerprint());
}

}  // namespace dyad::wire
