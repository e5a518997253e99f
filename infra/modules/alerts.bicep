// Alerts on what the app writes into its log. Each has a page in docs/runbooks.md with the same name.

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource ID of the workspace that is asked.')
param workspaceId string

@description('Who is told.')
param emails array

// by: the query's column whose every value has an alert of its own, so that one deployment's hides no other's.
// lasts: the lines come for as long as it is so, and Azure says once when it begins and once when it is over. Where they
// tell of what happened, as of a deployment that stopped, an end would be wrong: each is told, and a person closes it.
// sees: twice as far back there, as a line may come minutes after its time; the query takes each line once, when it has come.
// loadTextContent takes no variable: one line an alert.
var alerts = [
  { name: 'needs-attention', severity: 1, every: 'PT15M', sees: 'PT30M', by: 'Deployment', lasts: false, query: loadTextContent('../queries/needs-attention.kql'), about: 'A deployment stopped and waits for a person.' }
  { name: 'poison-messages', severity: 2, every: 'PT15M', sees: 'PT30M', by: 'Step', lasts: false, query: loadTextContent('../queries/poison-messages.kql'), about: 'A message was given up and lies in a poison queue.' }
  { name: 'overdue-deployments', severity: 2, every: 'PT30M', sees: 'PT30M', by: 'Deployment', lasts: true, query: loadTextContent('../queries/overdue-deployments.kql'), about: 'wake-due does not run, or deployments get nowhere.' }
  { name: 'grace-periods-that-end', severity: 3, every: 'PT1H', sees: 'PT1H', by: 'Deployment', lasts: true, query: loadTextContent('../queries/grace-periods-that-end.kql'), about: 'An old gateway is to be removed within a day.' }
  { name: 'unknown-errors', severity: 2, every: 'PT15M', sees: 'PT30M', by: 'Place', lasts: false, query: loadTextContent('../queries/unknown-errors.kql'), about: 'The app met an error that it does not know.' }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-cmg-migrate'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'cmg-migrate'
    enabled: true
    emailReceivers: [for (address, i) in emails: {
      name: 'mail-${i}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in alerts: {
  name: 'cmg-${alert.name}'
  location: location
  tags: tags
  properties: {
    displayName: alert.about
    description: '${alert.about} What to do: docs/runbooks.md#${alert.name}'
    severity: alert.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: alert.every
    windowSize: alert.sees
    // A workspace that is minutes old may not have the table yet, and Azure would refuse the rule.
    skipQueryValidation: true
    autoMitigate: alert.lasts
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [{ name: alert.by, operator: 'Include', values: ['*'] }]
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [people.id] }
  }
}]
