// JSON Schema of what the tools take and answer, put together from the parts that several share.
// Macros, as only they can join literals.
#pragma once

// clang-format off
#define MCP_INPUT(required, properties) \
    R"({"type":"object","properties":{)" properties R"(},"required":[)" required \
    R"(],"additionalProperties":false})"
#define MCP_OUTPUT(required, properties) \
    R"({"type":"object","properties":{)" properties R"(},"required":[)" required R"(]})"

// Arguments
#define MCP_KEY R"("key":{"type":"string","minLength":1,"maxLength":256,"description":"Name of the value, such as project/plan"})"
#define MCP_EXPECTED R"("expected_version":{"type":"integer","minimum":0,"description":"The version that your change is based on, as read; 0: nothing may be stored yet"})"
#define MCP_OPERATION R"("operation_id":{"type":"string","minLength":1,"maxLength":128,"description":"Any new id, such as a UUID. Sent again with the same arguments, nothing is written twice and the answer is the same"})"
#define MCP_RESOURCE R"("resource":{"type":"string","minLength":1,"maxLength":512,"description":"context:KEY, file:/path, or any other name"})"
#define MCP_TOKEN R"("token":{"type":"integer","minimum":1,"description":"As claim_acquire answered it"})"
#define MCP_FENCE R"("fence":{"type":"object","description":"The claim that you write under: refused once it is over","properties":{)" MCP_RESOURCE "," MCP_TOKEN R"(},"required":["resource","token"],"additionalProperties":false})"
#define MCP_SAID R"("provenance":{"type":"object","description":"Where the content comes from; left out: from a model, unverified","properties":{"kind":{"enum":["user","model","tool","web","import"]},"model":{"type":"string","description":"Which model you are"},"trust":{"enum":["trusted","unverified","quarantined"]}},"required":["kind"],"additionalProperties":false})"
#define MCP_VALUES(by_default) R"("values":{"type":"boolean","default":)" by_default R"(,"description":"With what each value says"})"
#define MCP_LIMIT(by_default) R"("limit":{"type":"integer","minimum":1,"maximum":1000,"default":)" by_default R"(,"description":"How many at most"})"
#define MCP_BEFORE R"("before":{"type":"integer","minimum":0,"description":"next_before of the page before"})"
#define MCP_TYPE R"("type":{"enum":["chat","project","mode","custom"]})"

// Answers
#define MCP_STRINGS R"({"type":"array","items":{"type":"string"}})"
#define MCP_TIME R"({"type":"string","format":"date-time"})"
#define MCP_OBJECTS R"({"type":"array","items":{"type":"object"}})"
#define MCP_PROVENANCE R"("provenance":{"type":"object","description":"Who wrote it and when","properties":{"written_by":{"type":"string"},"written_at":)" MCP_TIME R"(,"kind":{"enum":["user","model","tool","web","import"]},"model":{"type":"string"},"trust":{"enum":["trusted","unverified","quarantined"]},"created_by":{"type":"string"},"created_at":)" MCP_TIME R"(},"required":["written_by","written_at"]})"
#define MCP_VALUE R"("key":{"type":"string"},"version":{"type":"integer"},)" MCP_TYPE R"(,"tags":)" MCP_STRINGS R"(,"expires_at":)" MCP_TIME R"(,"deleted":{"const":true},"value":{"type":"object"},"bytes":{"type":"integer","description":"Size of a value that is left out"},)" MCP_PROVENANCE
#define MCP_VALUE_REQUIRED R"("key","version","type","tags","provenance")"
#define MCP_LIST_OF(required, properties) R"({"type":"array","items":)" MCP_OUTPUT(required, properties) "}"
#define MCP_NULLABLE(type) R"({"type":[")" type R"(","null"]})"
#define MCP_MODE R"("instance":{"type":"string"},"mode":{"enum":["inspired","didactic","parallel",null]},"previous":{"enum":["inspired","didactic","parallel",null]},"version":{"type":"integer"},"since":)" MCP_TIME R"(,"capabilities":{"type":"object"})"
// Of what writes. A refusal is no structured content: it comes as text.
#define MCP_WRITTEN(required, properties) \
    MCP_OUTPUT(required R"(,"position","operation_id","repeated")", properties \
    R"(,"position":{"type":"string"},"operation_id":{"type":"string"},"repeated":{"type":"boolean","description":"It had been written before"})")
#define MCP_VALUE_WRITTEN MCP_WRITTEN(R"("action",)" MCP_VALUE_REQUIRED R"(,"conflicts")", \
    R"("action":{"enum":["created","updated","deleted","expired","restored","resolved","ignored"]},"conflicts":)" MCP_OBJECTS "," MCP_VALUE)
#define MCP_CLAIM R"("resource":{"type":"string"},"holder":{"type":"string"},"token":{"type":"integer"},"session":{"type":"string"},"note":{"type":"string"},"granted_at":)" MCP_TIME R"(,"expires_at":)" MCP_TIME
#define MCP_CLAIMED MCP_WRITTEN(R"("action","resource","holder","token","granted_at","expires_at")", \
    R"("action":{"enum":["granted","renewed","released","expired"]},)" MCP_CLAIM)
// clang-format on
