-- The health of EvalJob, EvalTarget and OverlaySource for Argo CD: docs/gitops.md says where it goes.
local health = {status = "Progressing", message = "the operator has not seen this version of the object"}
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
local ready = nil
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    return {status = "Degraded", message = condition.message}
  end
  if condition.type == "Ready" then
    ready = condition
  end
end
if ready ~= nil and ready.status == "True" then
  return {status = "Healthy", message = ready.message}
end
if obj.spec.suspend == true then
  return {status = "Suspended", message = "spec.suspend is true"}
end
if ready ~= nil then
  health.message = ready.message
end
return health
